"""What a conversation is: messages, their tree, what a reader lacks. Pure: no files, no threads, no time."""
