//! The agent's main file and the files of images.

use crate::schema::{Discipline, Keyword, Naming, Parameter, Place, Value};

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
static CODEPAGE_VALUE: Value = Value::Word("the name of a character set");
static SECONDS: Value = Value::Number {
    min: 1,
    max: u32::MAX,
    unit: "seconds",
};
static COUNT: Value = Value::Number {
    min: 0,
    max: u32::MAX,
    unit: "",
};
static TEXT: Value = Value::Rest("text to the end of the line");
static FILE_FLUSH_PURGE: Value = Value::Sequence(&[
    Value::Optional(&Value::Path),
    Value::Optional(&FLUSH),
    Value::Optional(&PURGE),
]);
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

    /// `Codepage`.
    codepage: CODEPAGE = Statement::new("Codepage", "The character set of all files.")
        .line().once().place(Place::Main).text("Files are read as UTF-8 here whatever it says.") {
        NAME = Parameter::new(&[Keyword::line("Codepage", &CODEPAGE_VALUE)], "The name.").default("IBM-1047"),
    }

    /// `CommonIpSecConfig`.
    common_ip_sec_config: COMMON_IP_SEC_CONFIG = Statement::new("CommonIpSecConfig", "The IPSec policy file of all stacks.")
        .line().once().place(Place::Main).unconfirmed() {
        FILE = Parameter::new(&[Keyword::line("CommonIpSecConfig", &PATH)], "The file.").required(),
    }

    /// `CommonIDSConfig`.
    common_ids_config: COMMON_IDS_CONFIG = Statement::new("CommonIDSConfig", "The IDS policy file of all stacks.")
        .line().once().place(Place::Main).unconfirmed() {
        FILE = Parameter::new(&[Keyword::line("CommonIDSConfig", &PATH)], "The file.").required(),
    }

    /// `CommonTTLSConfig`.
    common_ttls_config: COMMON_TTLS_CONFIG = Statement::new("CommonTTLSConfig", "The AT-TLS policy file of all stacks.")
        .line().once().place(Place::Main) {
        FILE = Parameter::new(&[Keyword::line("CommonTTLSConfig", &PATH)], "The file.").required(),
    }

    /// `CommonRoutingConfig`.
    common_routing_config: COMMON_ROUTING_CONFIG = Statement::new("CommonRoutingConfig", "The routing policy file of all stacks.")
        .line().once().place(Place::Main).unconfirmed() {
        FILE = Parameter::new(&[Keyword::line("CommonRoutingConfig", &PATH)], "The file.").required(),
    }

    /// `CommonZERTConfig`.
    common_zert_config: COMMON_ZERT_CONFIG = Statement::new("CommonZERTConfig", "The zERT policy file of all stacks.")
        .line().once().place(Place::Main).unconfirmed().since("2.5") {
        FILE = Parameter::new(&[Keyword::line("CommonZERTConfig", &PATH)], "The file.").required(),
    }

    /// `TTLSConfig`.
    ttls_config: TTLS_CONFIG = Statement::new("TTLSConfig", "The AT-TLS policy file of the stack.")
        .line().once().place(Place::Image) {
        FILE = Parameter::new(&[Keyword::line("TTLSConfig", &FILE_FLUSH_PURGE)],
            "The file, `FLUSH` or `NOFLUSH`, `PURGE` or `NOPURGE`.").absent("only the common file"),
    }

    /// `IpSecConfig`.
    ip_sec_config: IP_SEC_CONFIG = Statement::new("IpSecConfig", "The IPSec policy file of the stack.")
        .line().once().place(Place::Image) {
        FILE = Parameter::new(&[Keyword::line("IpSecConfig", &OPTIONAL_PATH)],
            "The file.").absent("only the common file"),
    }

    /// `IDSConfig`.
    ids_config: IDS_CONFIG = Statement::new("IDSConfig", "The IDS policy file of the stack.")
        .line().once().place(Place::Image) {
        FILE = Parameter::new(&[Keyword::line("IDSConfig", &FILE_FLUSH_PURGE)],
            "The file, `FLUSH` or `NOFLUSH`, `PURGE` or `NOPURGE`.").absent("only the common file"),
    }

    /// `RoutingConfig`.
    routing_config: ROUTING_CONFIG = Statement::new("RoutingConfig", "The routing policy file of the stack.")
        .line().once().place(Place::Image) {
        FILE = Parameter::new(&[Keyword::line("RoutingConfig", &OPTIONAL_PATH)],
            "The file.").absent("only the common file"),
    }

    /// `QOSConfig`.
    qos_config: QOS_CONFIG = Statement::new("QOSConfig", "The QoS policy file of the stack.")
        .line().once().place(Place::Image) {
        FILE = Parameter::new(&[Keyword::line("QOSConfig", &OPTIONAL_PATH)], "The file."),
    }

    /// `ZERTConfig`.
    zert_config: ZERT_CONFIG = Statement::new("ZERTConfig", "The zERT policy file of the stack.")
        .line().once().place(Place::Image).unconfirmed().since("2.5") {
        FILE = Parameter::new(&[Keyword::line("ZERTConfig", &OPTIONAL_PATH)],
            "The file.").absent("only the common file"),
    }

    /// `AutoMonitorParms`.
    auto_monitor_parms: AUTO_MONITOR_PARMS = Statement::new("AutoMonitorParms", "How companion daemons are watched.")
        .root().place(Place::Main).unconfirmed() {
        MONITOR_INTERVAL = Parameter::new(&[Keyword::line("MonitorInterval", &SECONDS)],
            "Seconds between two checks.").default("10").unconfirmed(),
        RETRY_LIMIT_COUNT = Parameter::new(&[Keyword::line("RetryLimitCount", &COUNT)],
            "How often a daemon is started within `RetryLimitPeriod`.").default("5").unconfirmed(),
        RETRY_LIMIT_PERIOD = Parameter::new(&[Keyword::line("RetryLimitPeriod", &SECONDS)],
            "The period in seconds.").default("600").unconfirmed(),
    }

    /// `TcpImageName` inside of `AppName`.
    tcp_image_name: TCP_IMAGE_NAME = Statement::new("TcpImageName", "A daemon that runs once for each stack.")
        .naming(Naming::Required).place(Place::Inline).unconfirmed() {
        PROC_NAME = Parameter::new(&[Keyword::line("ProcName", &Value::Name)], "The procedure.").required().unconfirmed(),
        JOB_NAME = Parameter::new(&[Keyword::line("JobName", &Value::Name)], "The job.").unconfirmed(),
        START_PARMS = Parameter::new(&[Keyword::line("StartParms", &TEXT)], "Start parameters, as written.").unconfirmed(),
        ENV_VAR = Parameter::new(&[Keyword::line("EnvVar", &TEXT)], "An environment variable, as written.").list().unconfirmed(),
    }

    /// `AppName` inside of `AutoMonitorApps`.
    app_name: APP_NAME = Statement::new("AppName", "A daemon: `IKED`, `NSSD`, `DMD`, `SYSLOGD`, `TRMD`.")
        .naming(Naming::Required).place(Place::Inline).unconfirmed() {
        PROC_NAME = Parameter::new(&[Keyword::line("ProcName", &Value::Name)], "The procedure.").unconfirmed(),
        JOB_NAME = Parameter::new(&[Keyword::line("JobName", &Value::Name)], "The job.").unconfirmed(),
        START_PARMS = Parameter::new(&[Keyword::line("StartParms", &TEXT)], "Start parameters, as written.").unconfirmed(),
        ENV_VAR = Parameter::new(&[Keyword::line("EnvVar", &TEXT)], "An environment variable, as written.").list().unconfirmed(),
        IMAGES = Parameter::new(&[Keyword::block("TcpImageName", &TCP_IMAGE_NAME)], "What holds for one stack.").list().unconfirmed(),
    }

    /// `AutoMonitorApps`.
    auto_monitor_apps: AUTO_MONITOR_APPS = Statement::new("AutoMonitorApps", "The companion daemons that are watched.")
        .root().place(Place::Main).unconfirmed() {
        APPS = Parameter::new(&[Keyword::block("AppName", &APP_NAME)], "The daemons.").list().unconfirmed(),
    }

    /// `ServicesConnection`.
    services_connection: SERVICES_CONNECTION = Statement::new("ServicesConnection", "The connection of the configuration assistant.")
        .kept().place(Place::Main) {}

    /// `ServerConnection`.
    server_connection: SERVER_CONNECTION = Statement::new("ServerConnection", "The policy server that a client asks.")
        .kept().place(Place::Main) {}

    /// `ClientConnection`.
    client_connection: CLIENT_CONNECTION = Statement::new("ClientConnection", "The clients of this policy server.")
        .kept().place(Place::Main) {}

    /// `DynamicConfigPolicyLoad`.
    dynamic_config_policy_load: DYNAMIC_CONFIG_POLICY_LOAD = Statement::new(
        "DynamicConfigPolicyLoad", "The policy that this server serves to a client.")
        .kept().place(Place::Main) {}

    /// `PolicyServer`.
    policy_server: POLICY_SERVER = Statement::new("PolicyServer", "The policies that come from a server.")
        .kept().place(Place::Image) {}

    /// `ReadFromDirectory`.
    read_from_directory: READ_FROM_DIRECTORY = Statement::new(
        "ReadFromDirectory", "A directory server that policies come from; gone in recent releases.")
        .kept().place(Place::MainOrImage).unconfirmed() {}

    /// `SetSubnetPrioTosMask`.
    set_subnet_prio_tos_mask: SET_SUBNET_PRIO_TOS_MASK = Statement::new("SetSubnetPrioTosMask", "Quality of service: priorities.")
        .kept().place(Place::MainOrImage).unconfirmed() {}

    /// `PolicyPerfMonitorForSDR`.
    policy_perf_monitor: POLICY_PERF_MONITOR = Statement::new("PolicyPerfMonitorForSDR", "Quality of service: measuring.")
        .kept().place(Place::MainOrImage).unconfirmed() {}
}

/// The agent's own files.
pub static DISCIPLINE: Discipline = Discipline {
    name: "agent",
    title: "Policy Agent files",
    file: "the main file",
    text: "The statements of the agent's main file and of the image files that it names. A `TcpImage` without \
           file makes the main file its own image file. For each stack the common file of a kind of policy is \
           read first and then the stack's own, which overrides it; the image file must name the kind of \
           policy, such as `TTLSConfig`, even when only the common file has any.",
    statements: &[
        &TCP_IMAGE,
        &LOG_LEVEL,
        &CODEPAGE,
        &COMMON_IP_SEC_CONFIG,
        &COMMON_IDS_CONFIG,
        &COMMON_TTLS_CONFIG,
        &COMMON_ROUTING_CONFIG,
        &COMMON_ZERT_CONFIG,
        &IP_SEC_CONFIG,
        &IDS_CONFIG,
        &TTLS_CONFIG,
        &ROUTING_CONFIG,
        &QOS_CONFIG,
        &ZERT_CONFIG,
        &AUTO_MONITOR_PARMS,
        &AUTO_MONITOR_APPS,
        &APP_NAME,
        &TCP_IMAGE_NAME,
        &SERVICES_CONNECTION,
        &SERVER_CONNECTION,
        &CLIENT_CONNECTION,
        &DYNAMIC_CONFIG_POLICY_LOAD,
        &POLICY_SERVER,
        &READ_FROM_DIRECTORY,
        &SET_SUBNET_PRIO_TOS_MASK,
        &POLICY_PERF_MONITOR,
    ],
    codes: &[],
};
