"""The halves of commands that touch models: imported once Django is set up."""
