//! The eighth triplet of subtype 11. That it exists is confirmed; what is in it is a proposal of
//! this project.

use crate::codes::{ActionFlags, Protocols};
use crate::ebcdic::Text;
use crate::field::{Reserved, section};

section! {
    /// What policy did with a connection (event 7).
    Enforcement "policy-based enforcement" {
        [U] action_flags: ActionFlags, "ENF_ActFlags", "What the action did.";
        [U] protocol: Protocols, "ENF_Proto", "The protocol that matched; 0 is no recognized protection.";
        [U] reserved1: Reserved<2>, "", "Reserved.";
        [U] rule_name: Text<32>, "ENF_RuleName", "Name of the rule.";
        [U] action_name: Text<32>, "ENF_ActionName", "Name of the action.";
    }
}
