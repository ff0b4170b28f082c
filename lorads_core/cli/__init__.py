"""The `lorads` command line: argparse parser, commands, console output, doctor."""
