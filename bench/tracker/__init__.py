"""How many messages a second the tracker carries on one core, how long they take, and what a member costs in memory."""
