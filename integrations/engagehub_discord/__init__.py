"""The discord.py cogs of engagehub-core; needs the extra ``discord``."""
