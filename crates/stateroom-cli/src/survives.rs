//! The setting `survives`.

use clap::ValueEnum;
use serde::Deserialize;
use stateroom_server::Survives;

/// What rooms survive, as it is named on the command line and in `stateroom.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SurvivesOption {
    /// A planned stop, and no more.
    Nothing,
    /// The end of the process, in whatever way.
    Crash,
    /// Power loss.
    PowerLoss,
}

impl From<SurvivesOption> for Survives {
    fn from(option: SurvivesOption) -> Self {
        match option {
            SurvivesOption::Nothing => Survives::Nothing,
            SurvivesOption::Crash => Survives::Crash,
            SurvivesOption::PowerLoss => Survives::PowerLoss,
        }
    }
}
