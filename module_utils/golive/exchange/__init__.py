"""What may an exchange API key do: asked at the venue, judged against least privilege, unknown where the venue is silent."""
