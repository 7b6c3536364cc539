//! The agent's main file and the files of images.

use crate::schema::{Discipline, Keyword, Parameter, Place, Value};

crate::choices! {
    /// What becomes of what was installed when a policy is read at the start.
    pub enum Flush: FLUSH {
        /// It is deleted first.
        Flush = "FLUSH",
        /// It is kept, and changed where the policy differs.
        NoFlush = "NOFLUSH",
    }
}

crate::choices! {
    /// What becomes of a policy when the agent ends.
    pub enum Purge: PURGE {
        /// It is deleted.
        Purge = "PURGE",
        /// It stays in force.
        NoPurge = "NOPURGE",
    }
}

static TCP_IMAGE_VALUE: Value = Value::Sequence(&[
    Value::Name,
    Value::Optional(&Value::Path),
    Value::Optional(&FLUSH),
    Value::Optional(&PURGE),
    Value::Optional(&Value::Number {
        min: 1,
        max: 2_147_483_647,
        unit: "seconds",
    }),
]);

static PATH: Value = Value::Path;
static OPTIONAL_PATH: Value = Value::Optional(&Value::Path);
static LOG_LEVEL_VALUE: Value = Value::Number {
    min: 0,
    max: 511,
    unit: "",
};

crate::statements! {
    /// `TcpImage`.
    tcp_image: TCP_IMAGE = Statement::new("TcpImage", "A TCP/IP stack and the file of its policies.")
        .line().place(Place::Main).also(&["PEPInstance"]) {
        STACK = Parameter::new(&[Keyword::line("TcpImage", &TCP_IMAGE_VALUE)],
            "The stack, its file (without one the main file itself), `FLUSH` or `NOFLUSH`, `PURGE` or `NOPURGE`, and \
             after how many seconds the files are read again (1800 if not given).").required(),
    }

    /// `LogLevel`.
    log_level: LOG_LEVEL = Statement::new("LogLevel", "What is logged.")
        .line().once().place(Place::Main) {
        LEVEL = Parameter::new(&[Keyword::line("LogLevel", &LOG_LEVEL_VALUE)],
            "The sum of 1 system errors, 2 object errors, 4 protocol errors, 8 warnings, 16 events, 32 actions, 64 information, \
             128 accounting, 256 trace.").default("31"),
    }

    /// `CommonIpSecConfig`.
    common_ip_sec_config: COMMON_IP_SEC_CONFIG = Statement::new("CommonIpSecConfig", "The IPSec policy file of all stacks.")
        .line().once().place(Place::Main) {
        FILE = Parameter::new(&[Keyword::line("CommonIpSecConfig", &PATH)], "The file.").required(),
    }

    /// `IpSecConfig`.
    ip_sec_config: IP_SEC_CONFIG = Statement::new("IpSecConfig", "The IPSec policy file of the stack.")
        .line().once().place(Place::Image) {
        FILE = Parameter::new(&[Keyword::line("IpSecConfig", &OPTIONAL_PATH)],
            "The file; without one only the common file counts.").absent("only the common file"),
    }
}

/// The agent's own files.
pub static DISCIPLINE: Discipline = Discipline {
    name: "agent",
    title: "Policy Agent files",
    file: "the main file",
    text: "The statements of the agent's main file and of the image files that it names.",
    statements: &[
        &TCP_IMAGE,
        &LOG_LEVEL,
        &COMMON_IP_SEC_CONFIG,
        &IP_SEC_CONFIG,
    ],
    codes: &[],
};
