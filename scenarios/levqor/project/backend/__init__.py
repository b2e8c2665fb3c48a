"""The backend's own packages."""
