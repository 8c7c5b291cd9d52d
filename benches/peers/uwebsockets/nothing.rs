//! Empty: see `build.sh`.
