"""The Django app of engagehub-core; needs the extra ``django``."""
