"""One file for each subcommand: parse, call, print."""
