"""``python -m engagehub_core.cli``, where the script ``engagehub`` isn't on the path."""

from engagehub_core.cli import main

main()
