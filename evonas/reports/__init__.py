"""What people read: progress while a search works, tables and JSON of what it found."""
