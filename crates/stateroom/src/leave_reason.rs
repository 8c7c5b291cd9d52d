//! Why a client is in a room no more.

/// Why a client has left, for [`left`](crate::SimpleStateroomService::left).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum LeaveReason {
    /// Its connection broke or fell silent; with a session, it did not come back in time. So it is too for whoever
    /// was in the room when the server was killed, and stays away.
    Lost,
    /// It said good-bye: a page that was left, or a client that closed.
    Closed,
    /// The same user or token has connected again, and is the same client: `connect` follows.
    Replaced,
    /// The service has closed it, with [`close`](crate::StateroomContext::close).
    Kicked,
    /// The server has closed it: it read too slowly, broke the protocol, its token has expired, or a message of its
    /// failed.
    TurnedOut,
}

impl LeaveReason {
    /// The number by which modules are told: 0 to 4, in the order above.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// What has this number. One that is not known yet is [`Lost`](LeaveReason::Lost).
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => LeaveReason::Closed,
            2 => LeaveReason::Replaced,
            3 => LeaveReason::Kicked,
            4 => LeaveReason::TurnedOut,
            _ => LeaveReason::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_comes_back_from_its_number() {
        use LeaveReason::*;
        for reason in [Lost, Closed, Replaced, Kicked, TurnedOut] {
            assert_eq!(LeaveReason::from_number(reason.number()), reason);
        }
        assert_eq!(LeaveReason::from_number(99), Lost);
    }
}
