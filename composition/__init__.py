"""The composition root: it alone knows every room and the site file; the commands in ``service.py`` start here."""
