"""What a person does to a running system: look at an incident, reconcile, restart. One file an act."""
