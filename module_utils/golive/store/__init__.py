"""The secret store as golive sees it: who asks, what stands in it, and what it should look like. Controller only."""
