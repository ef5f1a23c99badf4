# The folder has the repository afterwards, and nothing of what was in it.
set -euo pipefail
mkdir -p "$FOLDER"
cd "$FOLDER"
find . -mindepth 1 -maxdepth 1 -exec rm -rf {} +
git init --quiet
git remote add origin "$URL"
if [ -z "$REF" ]; then
  if [ "$REPOSITORY" = "$RUN_REPOSITORY" ]; then REF=$RUN_SHA; else REF=HEAD; fi
fi
options=(--quiet --no-tags)
[ -z "$FILTER" ] || options+=("--filter=$FILTER")
if [ "$DEPTH" = 0 ]; then
  git fetch "${options[@]}" origin '+refs/heads/*:refs/remotes/origin/*' '+refs/tags/*:refs/tags/*'
else
  options+=("--depth=$DEPTH")
fi
if ! git checkout --quiet --detach "$REF" 2>/dev/null; then # the commit of a pull request is in no branch
  git fetch "${options[@]}" origin "$REF"
  git checkout --quiet --detach FETCH_HEAD
fi
echo "Checked out $(git rev-parse HEAD) of $REPOSITORY"
