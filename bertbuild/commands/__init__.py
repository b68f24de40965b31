"""What each command does, without a word on how it is typed: `bertbuild.tasks` has the flags."""
