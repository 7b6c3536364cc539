//! What all records begin with.

use crate::codes::Reason;
use crate::ebcdic::Text;
use crate::field::{Reserved, group, section};
use crate::time::{SmfDate, SmfTime};

group! {
    /// Record descriptor word: the first four bytes of a record and part of its length.
    Rdw {
        [C] length: u16, "HDLength", "Length of the record with these four bytes.";
        [C] segment: u16, "HDSegDesc", "Segment descriptor; 0 for a whole record.";
    }
}

group! {
    /// Standard header of a record with subtypes, after the record descriptor word.
    Header {
        [C] flags: u8, "HDFlags", "X'5E': subtypes are valid, and the release of the system.";
        [C] record_type: u8, "HDType", "Record type.";
        [C] time: SmfTime, "HDTime", "Local time at which the record was made.";
        [C] date: SmfDate, "HDDate", "Local date at which the record was made.";
        [C] system: Text<4>, "HDSID", "System identifier.";
        [C] subsystem: Text<4>, "HDSSI", "Subsystem identifier.";
        [C] subtype: u16, "HDSubType", "Subtype.";
    }
}

group! {
    /// Standard header of a record without subtypes, after the record descriptor word.
    ShortHeader {
        [C] flags: u8, "HDFlags", "X'1E': no subtypes, and the release of the system.";
        [C] record_type: u8, "HDType", "Record type.";
        [C] time: SmfTime, "HDTime", "Local time at which the record was made.";
        [C] date: SmfDate, "HDDate", "Local date at which the record was made.";
        [C] system: Text<4>, "HDSID", "System identifier.";
    }
}

group! {
    /// Where a section lies.
    TripletLayout {
        [C] offset: u32, "Off", "Offset of the first instance from the record's first byte.";
        [C] length: u16, "Len", "Length of one instance.";
        [C] count: u16, "Num", "Number of instances; 0 if there is no such section.";
    }
}

group! {
    /// What stands before each distinguished name.
    NamePrefix {
        [U] length: u16, "DN_Len", "Length of the entry with these four bytes.";
        [C] kind: crate::codes::NameType, "DN_Type", "Whose name it is.";
    }
}

section! {
    /// TCP/IP identification section: who wrote the record and why.
    Identification "TCP/IP identification" {
        [C] system: Text<8>, "TI_SYSName", "System name.";
        [C] sysplex: Text<8>, "TI_SysplexName", "Sysplex name.";
        [C] stack: Text<8>, "TI_Stack", "Name of the TCP/IP stack.";
        [C] release: Text<8>, "TI_ReleaseID", "Product and release.";
        [C] component: Text<8>, "TI_Comp", "Component: STACK, IKE, TCP ….";
        [C] address_space: Text<8>, "TI_ASName", "Started task that writes.";
        [C] user: Text<8>, "TI_UserID", "User id under which it writes.";
        [C] reserved1: Reserved<2>, "", "Reserved.";
        [C] asid: u16, "TI_ASID", "Address space id of the writer.";
        [C] reason: Reason, "TI_Reason", "Why the record was written.";
        [C] record_id: u8, "TI_RecordID", "Ties split records of some subtypes together.";
        [C] reserved2: Reserved<2>, "", "Reserved.";
    }
}
