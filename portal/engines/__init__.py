"""Engines that need no installation: a database, a broker folder, a process supervisor."""
