"""The guard: watches one account with the venue's word only, from a host that is not the bot's, and stops the bot."""
