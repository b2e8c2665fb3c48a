"""What the backend does besides answering requests."""
