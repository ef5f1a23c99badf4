"""The dashboard: pages for people, made on the server, which stay up to date while they are open.

Each page has a folder with its routes (`page.py`), what it reads (`query.py`) and its template.
"""
