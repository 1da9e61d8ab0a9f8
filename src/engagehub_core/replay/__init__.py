"""Recorded event streams through the native structures into a database; what ``engagehub replay`` runs."""
