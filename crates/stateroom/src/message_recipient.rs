//! Says whom a message is for, and how that is written as one number at the guest boundary.

use crate::ClientId;

/// Whom a message is for.
///
/// ```
/// use stateroom::{ClientId, MessageRecipient};
///
/// let recipient: MessageRecipient = ClientId(3).into();
/// assert_eq!(recipient, MessageRecipient::Client(ClientId(3)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub enum MessageRecipient {
    /// Every client that is connected when the message is sent.
    Broadcast,
    /// One client. A message to a client that is not connected is dropped.
    Client(ClientId),
    /// Every connected client except this one.
    EveryoneExcept(ClientId),
}

impl MessageRecipient {
    /// The recipient as the guest interface writes it: 0 is everyone, n > 0 is client n, n < 0 is
    /// everyone except client -n.
    ///
    /// Only clients 1 to [`i32::MAX`] can be written so, which are all that a room ever has; for
    /// any other id the result means somebody else, see [`MessageRecipient::is_encodable`].
    #[must_use]
    pub fn encode_i32(&self) -> i32 {
        match self {
            Self::Broadcast => 0,
            Self::Client(client) => client.0.cast_signed(),
            Self::EveryoneExcept(client) => client.0.cast_signed().wrapping_neg(),
        }
    }

    /// As [`MessageRecipient::encode_i32`], but never means anybody else: `None` stands for nobody.
    ///
    /// A client id outside the encoding belongs to no client. So a message to it is for nobody, and
    /// one for everyone except it is for everyone.
    #[must_use]
    pub fn checked_encode_i32(&self) -> Option<i32> {
        match self {
            Self::EveryoneExcept(_) if !self.is_encodable() => Some(Self::Broadcast.encode_i32()),
            Self::Client(_) if !self.is_encodable() => None,
            _ => Some(self.encode_i32()),
        }
    }

    /// Reads what [`MessageRecipient::encode_i32`] wrote.
    #[must_use]
    pub fn decode_i32(encoded: i32) -> Self {
        let client = ClientId(encoded.unsigned_abs());
        match encoded {
            0 => Self::Broadcast,
            1.. => Self::Client(client),
            _ => Self::EveryoneExcept(client),
        }
    }

    /// Whether [`MessageRecipient::encode_i32`] can write this recipient without changing its
    /// meaning.
    #[must_use]
    pub fn is_encodable(&self) -> bool {
        Self::decode_i32(self.encode_i32()) == *self
    }
}

impl From<ClientId> for MessageRecipient {
    fn from(client: ClientId) -> Self {
        MessageRecipient::Client(client)
    }
}

#[cfg(test)]
mod tests {
    use super::MessageRecipient::{self, Broadcast, Client, EveryoneExcept};
    use crate::ClientId;

    #[test]
    fn every_recipient_a_room_can_have_survives_the_encoding() {
        for recipient in [
            Broadcast,
            Client(ClientId(1)),
            Client(ClientId(i32::MAX as u32)),
            EveryoneExcept(ClientId(1)),
            EveryoneExcept(ClientId(i32::MAX as u32)),
        ] {
            assert_eq!(MessageRecipient::decode_i32(recipient.encode_i32()), recipient);
            assert!(recipient.is_encodable());
        }
    }

    #[test]
    fn ids_outside_the_encoding_are_recognised() {
        assert!(!Client(ClientId(0)).is_encodable());
        assert!(!EveryoneExcept(ClientId(0)).is_encodable());
        assert!(!Client(ClientId(u32::MAX)).is_encodable());
    }

    #[test]
    fn a_message_to_a_client_that_cannot_exist_is_for_nobody() {
        for number in [0, i32::MAX as u32 + 1, u32::MAX] {
            assert_eq!(Client(ClientId(number)).checked_encode_i32(), None);
        }
        assert_eq!(Client(ClientId(i32::MAX as u32)).checked_encode_i32(), Some(i32::MAX));
    }

    #[test]
    fn a_message_for_everyone_except_a_client_that_cannot_exist_is_for_everyone() {
        for number in [0, i32::MAX as u32 + 2, u32::MAX] {
            assert_eq!(EveryoneExcept(ClientId(number)).checked_encode_i32(), Some(0));
        }
        assert_eq!(EveryoneExcept(ClientId(1)).checked_encode_i32(), Some(-1));
    }

    #[test]
    fn the_smallest_number_decodes_without_overflow() {
        assert_eq!(
            MessageRecipient::decode_i32(i32::MIN),
            EveryoneExcept(ClientId(i32::MIN.unsigned_abs()))
        );
    }
}
