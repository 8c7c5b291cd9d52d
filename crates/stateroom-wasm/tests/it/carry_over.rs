//! What a service's tests find out about a state that new code is to take over.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use stateroom_wasm::{ClientId, MessageRecipient, assert_carries_over};
use std::{collections::BTreeMap, fmt::Debug};

/// A service with one field.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Of<T> {
    field: T,
}

/// What the author reads whose state has such a field.
fn complaint<T>(field: T) -> String
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let service = std::panic::AssertUnwindSafe(Of { field });
    let panic = std::panic::catch_unwind(|| assert_carries_over(&*service)).unwrap_err();
    *panic.downcast::<String>().unwrap()
}

#[test]
fn what_json_can_hold_is_taken_over() {
    assert_carries_over(&Of {
        field: BTreeMap::from([(ClientId(3), MessageRecipient::Broadcast)]),
    });
    assert_carries_over(&Of { field: vec![Some(1_u8), None] });
    assert_carries_over(&Of { field: (u64::MAX, i64::MIN, u128::MAX, "\u{0}ß".to_owned()) });
    assert_carries_over(&Of { field: BTreeMap::from([(true, 'x')]) });
}

#[test]
fn numbers_come_back_as_they_were_to_the_last_bit() {
    let hard = [31.245_270_191_439_438, 121.487_919_511_619_45, 0.1 + 0.2, f64::MIN_POSITIVE, -0.0];
    for field in hard {
        assert_carries_over(&Of { field });
    }
}

#[test]
fn keys_that_are_neither_text_nor_numbers_are_found() {
    let complaint = complaint(BTreeMap::from([((1, 2), 3)]));
    assert!(complaint.contains("field: key must be a string"), "{complaint}");
    assert!(complaint.contains("a list of pairs"), "{complaint}");
}

#[test]
fn infinities_are_found() {
    let complaint = complaint([0.0, f64::INFINITY]);
    assert!(complaint.contains("field[1]: invalid type: null"), "{complaint}");
    assert!(complaint.contains("neither infinities nor NaN"), "{complaint}");
}

#[test]
fn an_option_in_an_option_is_found() {
    let complaint = complaint(Some(None::<u8>));
    assert!(complaint.contains("was: Of { field: Some(None) }"), "{complaint}");
    assert!(complaint.contains("is: Of { field: None }"), "{complaint}");
}
