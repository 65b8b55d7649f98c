//! The HTTP face: parses, authenticates, asks, renders. Decides nothing about messages or sessions.
