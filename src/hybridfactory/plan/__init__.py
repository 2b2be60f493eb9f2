"""What is injected where and when, and what is not and why."""
