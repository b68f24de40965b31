"""What each command does, without a word on how it is typed: `bertbuild.cli.tasks` has the flags."""
