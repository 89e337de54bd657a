"""What only a rehearsal has: accounts and keys minted by the rehearsal exchange, tokens born with the lab. Controller only."""
