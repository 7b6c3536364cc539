//! Which files are read for a stack's policy, and what is told about those that cannot be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::collections::BTreeMap;

use hostward_policy::load::{FileError, Files, Loaded, Options, load};
use hostward_policy::tables::files::{Flush, Purge};
use hostward_policy::{Diagnostics, FileKind, Language, Policy};

/// Files in memory, and which of them were read.
#[derive(Default)]
struct Memory {
    files: BTreeMap<&'static str, &'static str>,
    read: Vec<String>,
}

impl Memory {
    fn new(files: &[(&'static str, &'static str)]) -> Self {
        Self {
            files: files.iter().copied().collect(),
            read: Vec::new(),
        }
    }
}

impl Files for Memory {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, FileError> {
        self.read.push(path.into());
        let text = self.files.get(path).ok_or(FileError::NotFound)?;
        Ok(text.as_bytes().to_vec())
    }
}

/// What was loaded, the names of the texts in order, and what was told while loading and, behind that, while reading.
fn loaded(
    files: &[(&'static str, &'static str)],
    start: &[&str],
    stack: Option<&str>,
) -> (Loaded, Vec<String>, Vec<String>) {
    let language = Language::full().unwrap();
    let mut memory = Memory::new(files);
    let mut out = Diagnostics::default();
    let options = match stack {
        Some(stack) => Options::default().stack(stack),
        None => Options::default(),
    };
    let loaded = load(&language, &mut memory, start, &options, &mut out).unwrap();
    let names: Vec<String> = loaded
        .sources
        .iter()
        .map(|(_, s)| s.name().into())
        .collect();
    assert_eq!(
        memory.read.iter().filter(|r| names.contains(*r)).count(),
        names.len(),
        "each is read once"
    );
    let _ = Policy::read(&language, &loaded.sources, &mut out);
    let told = out.iter().map(|d| {
        let place = loaded.sources.location(d.primary.span);
        format!("{place}: {} {}", d.code, d.message)
    });
    let told = told.collect();
    (loaded, names, told)
}

const FIXTURE: &[(&str, &str)] = &[
    (
        "/etc/pagent.conf",
        "LogLevel 127
CommonTTLSConfig   /etc/policy/common.ttls
TcpImage TCPIP     /etc/policy/tcpip.image  FLUSH PURGE 600
PEPInstance TCPIP2 /etc/policy/tcpip2.image NOFLUSH NOPURGE
",
    ),
    (
        "/etc/policy/tcpip.image",
        "TTLSConfig  /etc/policy/tcpip.ttls FLUSH PURGE
IpSecConfig /etc/policy/tcpip.ipsec
",
    ),
    ("/etc/policy/tcpip2.image", "TTLSConfig\n"),
    ("/etc/policy/tcpip.ipsec", RULE),
];

const RULE: &str = "IpFilterPolicy
{
  IpFilterRule all
  {
    IpGenericFilterAction
    {
      IpFilterAction permit
    }
  }
}
";

#[test]
fn the_fixture_of_two_stacks() {
    let (got, names, told) = loaded(FIXTURE, &["/etc/pagent.conf"], None);
    assert_eq!(
        names,
        [
            "/etc/pagent.conf",
            "/etc/policy/tcpip.image",
            "/etc/policy/tcpip.ipsec"
        ]
    );
    assert_eq!((got.stack.as_deref(), got.policy_files), (Some("TCPIP"), 1));
    assert_eq!(got.interval(), 600, "the smallest of all images");
    let [first, second] = &*got.stacks else {
        panic!("{:?}", got.stacks)
    };
    assert_eq!(
        (first.flush, first.purge),
        (Some(Flush::Flush), Some(Purge::Purge))
    );
    assert_eq!(
        (second.flush, second.purge),
        (Some(Flush::NoFlush), Some(Purge::NoPurge))
    );
    assert_eq!((&*second.name, second.interval), ("TCPIP2", 1800));
    assert_eq!(second.image.as_deref(), Some("/etc/policy/tcpip2.image"));
    assert_eq!(
        told,
        [
            "/etc/pagent.conf:3:1: P0225 the policy is that of stack `TCPIP`",
            "/etc/policy/tcpip.image:1:1: P0226 what `TTLSConfig` names is not read yet",
        ]
    );

    // The second stack has no IPSec policy.
    let (got, names, told) = loaded(FIXTURE, &["/etc/pagent.conf"], Some("tcpip2"));
    assert_eq!(names, ["/etc/pagent.conf", "/etc/policy/tcpip2.image"]);
    assert_eq!(
        (got.stack.as_deref(), got.policy_files),
        (Some("TCPIP2"), 0)
    );
    assert_eq!(
        told,
        [
            "/etc/policy/tcpip2.image:1:1: P0228 stack `TCPIP2` has no `IpSecConfig` and so no policy of that kind",
            "/etc/policy/tcpip2.image:1:1: P0226 what `TTLSConfig` names is not read yet",
        ]
    );
}

#[test]
fn a_stack_that_there_is_not() {
    let (got, names, told) = loaded(FIXTURE, &["/etc/pagent.conf"], Some("TCPIP3"));
    assert_eq!((got.stack, got.policy_files, names.len()), (None, 0, 1));
    assert_eq!(
        told,
        ["/etc/pagent.conf:3:1: P0224 there is no stack named `TCPIP3`"]
    );
    let (_, _, told) = loaded(&[("m", "LogLevel 1\nIpSecConfig\n")], &["m"], Some("X"));
    assert_eq!(told, ["m:1:1: P0224 there is no stack named `X`"]);
}

#[test]
fn without_a_stack_policies_are_those_of_the_default_one_and_common_comes_first() {
    let files = &[
        (
            "d/main",
            "CommonIpSecConfig p/common.pol\nIpSecConfig p/own.pol\n",
        ),
        ("d/p/common.pol", RULE),
        ("d/p/own.pol", RULE),
    ];
    let (got, names, told) = loaded(files, &["d/main"], None);
    assert_eq!(names, ["d/main", "d/p/common.pol", "d/p/own.pol"]);
    assert_eq!(
        (got.stack.as_deref(), got.stacks.len(), got.policy_files),
        (None, 0, 2)
    );
    assert_eq!(got.interval(), 1800);
    // The own one overrides the common one.
    assert_eq!(
        told,
        ["d/p/own.pol:1:1: P0204 `IpFilterPolicy` replaces one of an earlier file"]
    );
    let kinds: Vec<FileKind> = got.sources.iter().map(|(_, s)| s.kind()).collect();
    assert_eq!(kinds[0], FileKind::MainAndImage);
    assert_eq!(kinds[1], FileKind::Policy("ipsec"));
}

#[test]
fn an_image_without_a_file_is_the_main_file() {
    // By saying nothing, and by naming the file itself.
    for image in ["TcpImage A\n", "TcpImage A ./main.conf\n"] {
        let main: &'static str =
            format!("{image}CommonIpSecConfig common.pol\nIpSecConfig\n").leak();
        let files = [("main.conf", main), ("common.pol", RULE)];
        let (got, names, told) = loaded(&files, &["./main.conf"], None);
        assert_eq!(names, ["main.conf", "common.pol"]);
        assert_eq!((got.stack.as_deref(), got.policy_files), (Some("A"), 1));
        assert_eq!(told, Vec::<String>::new());
    }
}

#[test]
fn without_the_statement_of_the_image_the_common_file_is_not_used() {
    let files = &[
        (
            "main.conf",
            "TcpImage A a.image\nCommonIpSecConfig common.pol\n",
        ),
        ("a.image", "# nothing\n"),
        ("common.pol", RULE),
    ];
    let (got, names, told) = loaded(files, &["main.conf"], None);
    assert_eq!(names, ["main.conf", "a.image"]);
    assert_eq!(got.policy_files, 0);
    assert_eq!(
        told,
        ["main.conf:2:1: P0227 this file is not used: the stack has no `IpSecConfig`"]
    );
}

#[test]
fn of_repeated_statements_the_last_wins() {
    let files = &[
        ("a.image", "IpSecConfig first.pol\nIpSecConfig last.pol\n"),
        ("last.pol", RULE),
    ];
    let (_, names, told) = loaded(files, &["a.image"], None);
    assert_eq!(names, ["a.image", "last.pol"]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("a.image:2:1: P0209"), "{told:?}");

    let files = &[
        ("main.conf", "TcpImage A x.image\nTcpImage A y.image\n"),
        ("y.image", "IpSecConfig last.pol\n"),
        ("last.pol", RULE),
    ];
    let (_, names, told) = loaded(files, &["main.conf"], None);
    assert_eq!(names, ["main.conf", "y.image", "last.pol"]);
    assert_eq!(told, ["main.conf:2:1: P0203 stack `A` is described twice"]);
}

#[test]
fn files_that_cannot_be_read_are_told_where_they_are_named() {
    let files = &[
        ("main.conf", "TcpImage A no.image\n"),
        ("a.image", "IpSecConfig   no.pol\n"),
        ("b.image", "IpSecConfig //'A.B(C)'\n"),
        ("c.conf", "TcpImage A //'A.B'\n"),
    ];
    for (start, told) in [
        (
            "main.conf",
            "main.conf:1:12: P0221 the image file `no.image` cannot be read",
        ),
        (
            "a.image",
            "a.image:1:15: P0221 the policy file `no.pol` cannot be read",
        ),
        (
            "b.image",
            "b.image:1:13: P0222 MVS data sets cannot be read here",
        ),
        (
            "c.conf",
            "c.conf:1:12: P0222 MVS data sets cannot be read here",
        ),
    ] {
        assert_eq!(loaded(files, &[start], None).2, [told]);
    }
    let language = Language::full().unwrap();
    let mut memory = Memory::new(files);
    let mut wrong = |file: &str| {
        let mut out = Diagnostics::default();
        load(
            &language,
            &mut memory,
            &[file],
            &Options::default(),
            &mut out,
        )
        .unwrap_err()
    };
    assert_eq!(
        wrong("nothing").to_string(),
        "nothing: there is no such file"
    );
    assert_eq!(wrong("//'A.B'").error, FileError::DataSet);
}

#[test]
fn files_that_name_themselves_or_each_other_end() {
    let files = &[
        (
            "main.conf",
            "TcpImage A a.image\nCommonIpSecConfig main.conf\n",
        ),
        ("a.image", "IpSecConfig a.image\n"),
        ("b.conf", "CommonIpSecConfig p.pol\nIpSecConfig p.pol\n"),
        ("p.pol", RULE),
    ];
    let (got, names, told) = loaded(files, &["main.conf"], None);
    assert_eq!((names.len(), got.policy_files), (2, 0));
    assert_eq!(
        told,
        [
            "main.conf:2:19: P0223 `main.conf` is the main file already",
            "a.image:1:13: P0223 `a.image` is an image file already",
        ]
    );
    // One file as common and as own: once.
    let (_, names, told) = loaded(files, &["b.conf", "p.pol", "./b.conf"], None);
    assert_eq!(names, ["b.conf", "p.pol"]);
    assert_eq!(told, Vec::<String>::new());
}

#[test]
fn a_stack_that_points_straight_at_a_policy_file_is_found() {
    let files = &[("main.conf", "TcpImage A p.pol\n"), ("p.pol", RULE)];
    let (got, _, told) = loaded(files, &["main.conf"], None);
    assert_eq!(got.policy_files, 0);
    assert_eq!(
        told,
        [
            "p.pol:1:1: P0211 `IpFilterPolicy` is a statement of an IPSec policy file; this is an image file"
        ]
    );
}

#[test]
fn in_a_main_file_with_an_image_file_the_statements_of_images_have_no_effect() {
    let files = &[
        ("main.conf", "TcpImage A a.image\nIpSecConfig no.pol\n"),
        ("a.image", "IpSecConfig p.pol\n"),
        ("p.pol", RULE),
    ];
    let (_, names, told) = loaded(files, &["main.conf"], None);
    assert_eq!(names, ["main.conf", "a.image", "p.pol"]);
    assert!(told[1].starts_with("a.image:1:1: P0204"), "{told:?}");
    assert!(told[0].starts_with("main.conf:2:1: P0212"), "{told:?}");
}

#[test]
fn policy_files_are_one_set_in_the_order_given() {
    let files = &[
        ("b.pol", "IpFilterRule r\n{\n}\n"),
        ("a.pol", "IpFilterRule r\n{\n}\n"),
        ("empty", ""),
    ];
    let (got, names, told) = loaded(files, &["b.pol", "a.pol", "empty"], None);
    assert_eq!(names, ["b.pol", "a.pol", "empty"]);
    assert_eq!((got.policy_files, got.stack), (3, None));
    assert!(
        told.iter()
            .any(|t| t == "a.pol:1:1: P0204 `IpFilterRule r` replaces one of an earlier file"),
        "{told:?}"
    );
}

#[test]
fn what_a_file_is_does_not_hang_on_how_it_is_written() {
    for main in [
        "\u{feff}tcpimage A a.image\r\n",
        "# x\n\t pepinstance  A   a.image # x\n",
        "LogLevel 1\n\n  TCPIMAGE A a.image",
    ] {
        let files = &[
            ("main", main),
            ("a.image", "IpSecConfig p.pol\n"),
            ("p.pol", RULE),
        ];
        let (got, names, _) = loaded(files, &["main"], None);
        assert_eq!(names, ["main", "a.image", "p.pol"], "{main:?}");
        assert_eq!(got.stack.as_deref(), Some("A"));
    }
    // Names of agent statements elsewhere in a policy file do not make it one of the agent's.
    let policy: &'static str = format!("# TcpImage A\n{}", RULE.replace("all", "TcpImage")).leak();
    let (got, _, told) = loaded(&[("p.pol", policy)], &["p.pol"], None);
    assert_eq!((got.policy_files, told), (1, Vec::new()));
}

#[test]
fn there_is_one_main_file() {
    let files = &[
        ("a.conf", "TcpImage A\nIpSecConfig p.pol\n"),
        ("b.conf", "TcpImage B\n"),
        ("p.pol", RULE),
    ];
    let (got, names, told) = loaded(files, &["a.conf", "b.conf"], None);
    assert_eq!(names, ["a.conf", "p.pol", "b.conf"]);
    assert_eq!(got.stack.as_deref(), Some("A"));
    assert_eq!(told, ["b.conf:1:1: P0223 this is a second main file"]);
}

#[test]
fn many_stacks_take_linear_time() {
    let time = |stacks: usize| {
        let mut text = String::new();
        for n in 0..stacks {
            text.push_str(&format!("TcpImage S{n} /s{n}\n"));
        }
        let main: &'static str = text.leak();
        let language = Language::full().unwrap();
        let mut memory = Memory::new(&[("/main", main)]);
        let start = cpu_time::ThreadTime::now();
        let mut out = Diagnostics::new(10);
        let options = Options::default();
        let loaded = load(&language, &mut memory, &["/main"], &options, &mut out).unwrap();
        assert_eq!(loaded.stacks.len(), stacks);
        start.elapsed().as_secs_f64()
    };
    let (one, eight) = (time(4_000), time(32_000));
    // A quadratic step would make it 64.
    assert!(eight < 25.0 * one + 0.05, "{one} s, {eight} s");
}

#[test]
fn a_stack_described_twice_is_what_was_said_last() {
    let main = "TcpImage A /a1\nTcpImage B /b\nTcpImage A /a2\n";
    let (loaded, _, _) = loaded(&[("/main", main), ("/a2", "")], &["/main"], None);
    let stacks: Vec<_> = loaded
        .stacks
        .iter()
        .map(|s| (&*s.name, s.image.as_deref()))
        .collect();
    assert_eq!(stacks, [("A", Some("/a2")), ("B", Some("/b"))]);
}
