"""The files of the pages: styles, scripts, the icon; those of others with their licences."""
