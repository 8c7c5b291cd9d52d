//! How what cannot be is refused.

/// A test that asks for what cannot be has to notice.
pub(crate) fn refuse(name: &str, value: &str) -> ! {
    eprintln!("STATEROOM_FAULT_{name} cannot be {value}");
    std::process::abort();
}
