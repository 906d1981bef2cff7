"""One module a command: `configure(parser)` adds its options, `call(args, output)` runs it."""
