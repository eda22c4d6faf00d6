"""The winner as files, and put to use."""
