"""What the controller and the job need to be allowed: one list, and the question whether they are. Pure."""
