"""What a release needs besides the code: its facts from the tag, checks of what was built, and the hosting account.

None of this is installed. `RELEASING.md` says how it is used, `.github/workflows/release.yml` uses it.
"""
