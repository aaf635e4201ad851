"""Mechanisms: who wins a task, and what the winner is paid."""
