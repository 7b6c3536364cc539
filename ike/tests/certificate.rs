//! Certificates of peers: which chains are believed, and which are not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod support;

use std::sync::Arc;

use hostward_crypto::fips::Fips;
use hostward_crypto::signature::Remote;
use hostward_crypto::{Backend, Kind, Provider, backend};
use hostward_hook::time::UnixTime;
use hostward_ike::certificate::{
    Certificate, CertificateError as E, Credential, CredentialError, ExtendedKeyUsage, HashAndUrl,
    Limits, Received, Refused, Request, Revocation, Taken, TrustError, TrustStore, choose,
    key_hash, request_body,
};
use hostward_ike::identity::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyUsagePurpose, NameConstraints, SanType,
    SerialNumber, date_time_ymd,
};
use support::{
    Authority, THEN, bind, ca_params, check, fixture, gateway_params, provider, received, trust,
};

const HOST: &str = "gw.example.com";

fn outcome(trust: &TrustStore, certificates: &[&[u8]]) -> Result<(), E> {
    bind(trust, certificates, HOST).map(|_| ())
}

/// What comes of a gateway's certificate changed like this, straight below the root.
fn changed(change: impl FnOnce(&mut CertificateParams)) -> Result<(), E> {
    let root = Authority::root("Root");
    let mut params = gateway_params(HOST);
    change(&mut params);
    let (own, _) = root.issue(params);
    outcome(&trust(&[&root]), &[&own])
}

/// What comes of a chain whose middle authority is changed like this.
fn through(change: impl FnOnce(&mut CertificateParams)) -> Result<(), E> {
    let root = Authority::root("Root");
    let mut params = ca_params("Middle");
    change(&mut params);
    let middle = root.below(params);
    let (own, _) = middle.issue(gateway_params(HOST));
    outcome(&trust(&[&root]), &[&own, &middle.der])
}

#[test]
fn a_chain_in_any_order_binds_the_key() {
    let root = Authority::root("Root");
    let one = root.below(ca_params("One"));
    let two = one.below(ca_params("Two"));
    let (own, key) = two.issue(gateway_params(HOST));
    let trust = trust(&[&Authority::root("Other"), &root]);
    for chain in [[&own, &two.der, &one.der], [&own, &one.der, &two.der]] {
        let bound = bind(&trust, &chain.map(Vec::as_slice), HOST).unwrap();
        assert_eq!(bound.identity(), &Identity::fqdn(HOST).unwrap());
        assert_eq!(bound.authority(), "ca1");
        let (_, x509) = x509_parser::parse_x509_certificate(&own).unwrap();
        assert_eq!(bound.public_key(), x509.public_key().raw);
        assert!(bound.public_key().ends_with(key.public_key_raw()));
    }
    // The root as well, a certificate twice: nothing changes.
    bind(&trust, &[&own, &own, &root.der, &two.der, &one.der], HOST).unwrap();
    // Without one in the middle, without any, with the authority first.
    assert_eq!(outcome(&trust, &[&own, &two.der]), Err(E::UnknownAuthority));
    assert_eq!(outcome(&trust, &[]), Err(E::Missing));
    assert_eq!(outcome(&trust, &[&two.der, &own]), Err(E::OtherIdentity));
    assert_eq!(
        outcome(&TrustStore::new(), &[&own, &two.der, &one.der]),
        Err(E::UnknownAuthority)
    );
}

// RFC 4945 §3.1: which part of the certificate an identity is compared with. RFC 5280 §4.2.1.6: alternative names.
#[test]
fn the_identity_stands_in_the_certificate() {
    let root = Authority::root("Root");
    let mut params = gateway_params(HOST);
    params.distinguished_name.push(DnType::CountryName, "US");
    params.subject_alt_names.extend([
        SanType::IpAddress("192.0.2.1".parse().unwrap()),
        SanType::IpAddress("2001:db8::1".parse().unwrap()),
        SanType::Rfc822Name("gw@example.com".try_into().unwrap()),
        SanType::DnsName("*.wild.example.com".try_into().unwrap()),
    ]);
    let (own, _) = root.issue(params);
    let (provider, trust) = (provider(), trust(&[&root]));
    let is = |identity: Identity| {
        let bound = check(&provider, &trust).bind(&received(&[&own]), &identity);
        match bound {
            Ok(bound) => {
                assert_eq!(bound.identity(), &identity);
                true
            }
            Err(E::OtherIdentity) => false,
            Err(other) => panic!("{other}"),
        }
    };
    for text in ["192.0.2.1", "2001:db8::1"] {
        assert!(is(Identity::ip(text.parse().unwrap())));
        assert!(!is(Identity::fqdn(&text.replace(':', "-")).unwrap()));
        assert!(!is(Identity::key_id(text.as_bytes()).unwrap()));
    }
    assert!(is(Identity::fqdn("GW.Example.com").unwrap()));
    assert!(is(Identity::user_at_fqdn("gw@EXAMPLE.com").unwrap()));
    assert!(is(Identity::dn("C=us,O=example,CN=gateway").unwrap()));
    for other in [
        Identity::ip("192.0.2.2".parse().unwrap()),
        Identity::fqdn("gateway").unwrap(),
        Identity::fqdn("a.wild.example.com").unwrap(),
        Identity::fqdn("example.com").unwrap(),
        Identity::user_at_fqdn("GW@example.com").unwrap(),
        Identity::dn("CN=Gateway").unwrap(),
        Identity::dn("CN=Gateway,O=Example,C=US").unwrap(),
        Identity::key_id(b"Gateway").unwrap(),
    ] {
        assert!(!is(other.clone()), "{other}");
    }
    let all: Vec<String> = Certificate::read(&own)
        .unwrap()
        .identities()
        .map(|i| i.to_string())
        .collect();
    assert_eq!(
        all,
        [
            HOST,
            "192.0.2.1",
            "2001:db8::1",
            "gw@example.com",
            "C=US,O=Example,CN=Gateway"
        ]
    );
}

#[test]
fn time_counts() {
    assert_eq!(changed(|_| {}), Ok(()));
    assert_eq!(
        changed(|p| p.not_after = date_time_ymd(2029, 12, 31)),
        Err(E::Expired)
    );
    assert_eq!(
        changed(|p| p.not_before = date_time_ymd(2030, 1, 2)),
        Err(E::NotYetValid)
    );
    assert_eq!(
        through(|p| p.not_after = date_time_ymd(2029, 12, 31)),
        Err(E::Expired)
    );
    assert_eq!(
        through(|p| p.not_before = date_time_ymd(2030, 1, 2)),
        Err(E::NotYetValid)
    );
}

// RFC 4945 §5.1.3.2, RFC 5280 §4.2.1.3: absent, or for signatures; an authority's for certificates.
#[test]
fn key_usage_counts() {
    use KeyUsagePurpose as U;
    for (usages, expected) in [
        (vec![], Ok(())),
        (vec![U::DigitalSignature], Ok(())),
        (vec![U::ContentCommitment], Ok(())),
        (vec![U::KeyEncipherment, U::DigitalSignature], Ok(())),
        (vec![U::KeyEncipherment], Err(E::KeyUsage)),
        (vec![U::KeyAgreement, U::DecipherOnly], Err(E::KeyUsage)),
    ] {
        assert_eq!(
            changed(|p| p.key_usages = usages.clone()),
            expected,
            "{usages:?}"
        );
    }
    assert_eq!(through(|p| p.key_usages.clear()), Ok(()));
    assert_eq!(through(|p| p.key_usages = vec![U::CrlSign]), Err(E::Path));
    assert_eq!(
        through(|p| p.key_usages = vec![U::DigitalSignature]),
        Err(E::Path)
    );
}

// RFC 4945 §5.1.3.12: absent, any or for IKE.
#[test]
fn extended_key_usage_counts() {
    use ExtendedKeyUsagePurpose as U;
    let ike = || U::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 17]);
    for (usages, expected) in [
        (vec![], Ok(())),
        (vec![U::Any], Ok(())),
        (vec![ike()], Ok(())),
        (vec![U::ServerAuth, ike()], Ok(())),
        (vec![U::ServerAuth], Err(E::ExtendedKeyUsage)),
        (vec![U::ServerAuth, U::ClientAuth], Err(E::ExtendedKeyUsage)),
    ] {
        let found = changed(|p| p.extended_key_usages = usages.clone());
        assert_eq!(found, expected, "{usages:?}");
    }
    assert_eq!(
        through(|p| p.extended_key_usages = vec![U::ServerAuth]),
        Err(E::ExtendedKeyUsage)
    );
    // Ignored when told.
    let root = Authority::root("Root");
    let mut params = gateway_params(HOST);
    params.extended_key_usages = vec![U::ServerAuth];
    let (own, _) = root.issue(params);
    let (provider, trust) = (provider(), trust(&[&root]));
    let mut check = check(&provider, &trust);
    check.extended_key_usage = ExtendedKeyUsage::Ignored;
    check
        .bind(&received(&[&own]), &Identity::fqdn(HOST).unwrap())
        .unwrap();
}

// RFC 5280 §4.2.1.9: who may issue, and how deep.
#[test]
fn places_in_the_chain_count() {
    // An authority in place of a gateway.
    assert_eq!(
        changed(|p| {
            p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            p.key_usages.push(KeyUsagePurpose::KeyCertSign);
        }),
        Err(E::Path)
    );
    // A gateway in place of an authority.
    assert_eq!(through(|p| p.is_ca = IsCa::NoCa), Err(E::Path));
    assert_eq!(through(|p| p.is_ca = IsCa::ExplicitNoCa), Err(E::Path));
    assert_eq!(
        through(|p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
        Ok(())
    );
    // A path length that is too short.
    let root = Authority::root("Root");
    for (len, expected) in [(0, Err(E::Path)), (1, Ok(()))] {
        let mut params = ca_params("One");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(len));
        let one = root.below(params);
        let two = one.below(ca_params("Two"));
        let (own, _) = two.issue(gateway_params(HOST));
        let found = outcome(&trust(&[&root]), &[&own, &two.der, &one.der]);
        assert_eq!(found, expected, "{len}");
    }
    // A chain longer than configured.
    let mut chain = vec![root.below(ca_params("1"))];
    for name in ["2", "3", "4", "5"] {
        let next = chain.last().unwrap().below(ca_params(name));
        chain.push(next);
    }
    for (depth, expected) in [(4, Ok(())), (5, Err(E::Path))] {
        let (own, _) = chain[depth - 1].issue(gateway_params(HOST));
        let mut sent: Vec<&[u8]> = vec![&own];
        sent.extend(chain[..depth].iter().map(|a| a.der.as_slice()));
        assert_eq!(outcome(&trust(&[&root]), &sent), expected, "{depth}");
    }
}

// RFC 5280 §4.2.1.10.
#[test]
fn name_constraints_count() {
    let dns = |name: &str| GeneralSubtree::DnsName(name.into());
    let permit = |trees: Vec<GeneralSubtree>| {
        through(|p| {
            p.name_constraints = Some(NameConstraints {
                permitted_subtrees: trees,
                excluded_subtrees: Vec::new(),
            });
        })
    };
    let exclude = |trees: Vec<GeneralSubtree>| {
        through(|p| {
            p.name_constraints = Some(NameConstraints {
                permitted_subtrees: Vec::new(),
                excluded_subtrees: trees,
            });
        })
    };
    assert_eq!(permit(vec![dns("example.com")]), Ok(()));
    assert_eq!(permit(vec![dns("example.org")]), Err(E::NameConstraint));
    assert_eq!(permit(vec![dns("example.org"), dns("example.com")]), Ok(()));
    assert_eq!(exclude(vec![dns("example.com")]), Err(E::NameConstraint));
    assert_eq!(exclude(vec![dns("example.org")]), Ok(()));
    // What is not compared is not taken.
    let mut name = rcgen::DistinguishedName::new();
    name.push(DnType::OrganizationName, "Example");
    assert_eq!(
        permit(vec![GeneralSubtree::DirectoryName(name)]),
        Err(E::NameConstraint)
    );
    // Addresses, and constraints of the root itself.
    for (net, expected) in [
        ([192, 0, 2, 0], Ok(())),
        ([198, 51, 100, 0], Err(E::NameConstraint)),
    ] {
        let mut params = ca_params("Root");
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::IpAddress(CidrSubnet::V4(
                net,
                [255, 255, 255, 0],
            ))],
            excluded_subtrees: Vec::new(),
        });
        let root = Authority::root_of(params);
        let mut params = gateway_params(HOST);
        params
            .subject_alt_names
            .push(SanType::IpAddress("192.0.2.1".parse().unwrap()));
        let (own, _) = root.issue(params);
        assert_eq!(outcome(&trust(&[&root]), &[&own]), expected, "{net:?}");
    }
}

// RFC 5280 §4.2: a critical extension that is not known.
#[test]
fn unknown_critical_extensions_are_refused() {
    for (critical, expected) in [(false, Ok(())), (true, Err(E::Malformed))] {
        let found = changed(|p| {
            let mut extension = CustomExtension::from_oid_content(&[1, 3, 9999, 1], vec![5, 0]);
            extension.set_criticality(critical);
            p.custom_extensions.push(extension);
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn another_authority_of_the_same_name_is_not_it() {
    let root = Authority::root("Root");
    let impostor = Authority::root("Root");
    let (own, _) = impostor.issue(gateway_params(HOST));
    assert_eq!(outcome(&trust(&[&root]), &[&own]), Err(E::Signature));
    // Both are believed: the right one is found.
    bind(&trust(&[&root, &impostor]), &[&own], HOST).unwrap();
    // Self-signed, and believed by nobody.
    let own = Authority::root_of(gateway_params(HOST));
    assert_eq!(
        outcome(&trust(&[&root]), &[&own.der]),
        Err(E::UnknownAuthority)
    );
    // Every octet counts.
    let (own, _) = root.issue(gateway_params(HOST));
    let store = trust(&[&root]);
    for at in 0..own.len() {
        let mut bad = own.clone();
        bad[at] ^= 1;
        let mut received = Received::new(Limits::default());
        let _ = received.payload(4, &bad, false);
        let identity = Identity::fqdn(HOST).unwrap();
        let provider = provider();
        let found = check(&provider, &store).bind(&received, &identity);
        assert!(found.is_err(), "octet {at}");
    }
}

#[test]
fn labels_limit_the_authorities() {
    let (one, two) = (Authority::root("One"), Authority::root("Two"));
    let (own, _) = two.issue(gateway_params(HOST));
    let (provider, trust) = (provider(), trust(&[&one, &two]));
    let identity = Identity::fqdn(HOST).unwrap();
    for (labels, expected) in [
        (vec!["ca1".to_string()], Ok("ca1".to_string())),
        (vec!["ca0".into()], Err(E::UnknownAuthority)),
        (vec!["ca0".into(), "ca1".into()], Ok("ca1".into())),
        (vec![], Err(E::UnknownAuthority)),
    ] {
        let mut check = check(&provider, &trust);
        check.authorities = Some(&labels);
        let found = check.bind(&received(&[&own]), &identity);
        assert_eq!(
            found.map(|b| b.authority().to_string()),
            expected,
            "{labels:?}"
        );
        assert_eq!(trust.hashes(Some(&labels)).count(), labels.len());
    }
    assert_eq!(trust.hashes(None).count(), 2);
}

// RFC 5280 §5: lists, whose issuer has signed them.
#[test]
fn revocation_by_policy() {
    use Revocation as R;
    let root = Authority::root("Root");
    let middle = root.below(ca_params("Middle"));
    let mut params = gateway_params(HOST);
    params.serial_number = Some(SerialNumber::from(77));
    let (own, _) = middle.issue(params);
    let provider = provider();
    let identity = Identity::fqdn(HOST).unwrap();
    let outcome = |host: &[&[u8]], sent: &[&[u8]], revocation| {
        let mut trust = trust(&[&root]);
        for crl in host {
            trust.add_crl(crl).unwrap();
        }
        let mut received = received(&[&own, &middle.der]);
        for crl in sent {
            received.payload(7, crl, false).unwrap();
        }
        let mut check = check(&provider, &trust);
        check.revocation = revocation;
        check.bind(&received, &identity).map(|_| ())
    };
    let (clean, revoked) = (middle.crl(&[1], 2031), middle.crl(&[77], 2031));
    let (old, old_revoked) = (middle.crl(&[1], 2029), middle.crl(&[77], 2029));
    let of_root = root.crl(&[], 2031);
    let forged = Authority::root("Middle").crl(&[], 2031);
    let no: &[&[u8]] = &[];
    for (host, sent, revocation, expected) in [
        (no, no, R::None, Ok(())),
        (no, no, R::Loose, Ok(())),
        (no, no, R::Strict, Err(E::RevocationUnknown)),
        (&[&revoked], no, R::None, Ok(())),
        (&[&revoked], no, R::Loose, Err(E::Revoked)),
        (&[&revoked, &of_root], no, R::Strict, Err(E::Revoked)),
        (&[&clean], no, R::Loose, Ok(())),
        // The middle authority is not covered.
        (&[&clean], no, R::Strict, Err(E::RevocationUnknown)),
        (&[&clean, &of_root], no, R::Strict, Ok(())),
        (&[&of_root], &[&clean[..]], R::Strict, Ok(())),
        (no, &[&revoked[..]], R::Loose, Err(E::Revoked)),
        // Expired.
        (&[&old], no, R::Loose, Ok(())),
        (&[&old, &of_root], no, R::Strict, Err(E::RevocationUnknown)),
        (&[&old_revoked], no, R::Loose, Err(E::Revoked)),
        // A peer's list does not take the place of the host's.
        (&[&revoked], &[&clean[..]], R::Loose, Err(E::Revoked)),
        // Not by the authority that it names.
        (no, &[&forged[..]], R::Loose, Err(E::RevocationUnknown)),
    ] {
        let host: Vec<&[u8]> = host.iter().map(|crl| &crl[..]).collect();
        assert_eq!(outcome(&host, sent, revocation), expected);
    }
    assert_eq!(
        outcome(&[&root.crl(&[], 2031), &of_root], no, R::Loose),
        Ok(())
    );
    assert_eq!(TrustStore::new().add_crl(&own), Err(TrustError::Crl));
}

#[test]
fn work_is_bounded_before_it_is_done() {
    // Many authorities of one name, each of which has signed the next one's certificate for all one can tell by
    // names: the signatures run out.
    let root = Authority::root("Same");
    let other = Authority::root("Same");
    let mut sent = Vec::new();
    for _ in 0..7 {
        sent.push(other.below(ca_params("Same")).der);
    }
    let (own, _) = other.issue(gateway_params(HOST));
    let mut all: Vec<&[u8]> = vec![&own];
    all.extend(sent.iter().map(Vec::as_slice));
    let start = std::time::Instant::now();
    let found = outcome(&trust(&[&root]), &all);
    assert_eq!(found, Err(E::Work));
    // Some 16 signatures and some thousand short readings; a minute would be no bound.
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());

    let limits = Limits {
        certificates: 2,
        certificate_octets: 1000,
        crls: 1,
        crl_octets: 1000,
        url_octets: 30,
        ..Limits::default()
    };
    let mut received = Received::new(limits);
    let certificates: Vec<Vec<u8>> = (0..3).map(|_| root.issue(gateway_params(HOST)).0).collect();
    received.payload(4, &certificates[0], true).unwrap();
    received.payload(4, &certificates[0], true).unwrap();
    received.payload(4, &certificates[1], true).unwrap();
    assert_eq!(received.certificates().count(), 2);
    let many = |what| Err(Refused::TooMany(what));
    assert_eq!(
        received.payload(4, &certificates[2], true),
        many("certificates")
    );
    assert_eq!(received.payload(12, &[0; 21], true), many("certificates"));
    assert_eq!(
        Received::new(limits).payload(4, &[0x30; 1001], true),
        many("octets of a certificate")
    );
    received.payload(7, &root.crl(&[], 2031), true).unwrap();
    assert_eq!(
        received.payload(7, &root.crl(&[1], 2031), true),
        many("revocation lists")
    );
    assert_eq!(
        received.payload(7, &[0; 1001], true),
        many("octets of a revocation list")
    );
}

#[test]
fn what_is_no_certificate_is_refused() {
    let root = Authority::root("Root");
    let (own, _) = root.issue(gateway_params(HOST));
    let mut received = Received::new(Limits::default());
    for len in 0..own.len() {
        assert_eq!(
            received.payload(4, &own[..len], true),
            Err(Refused::Malformed)
        );
    }
    let mut longer = own.clone();
    longer.push(0);
    assert_eq!(received.payload(4, &longer, true), Err(Refused::Malformed));
    for encoding in [0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 14, 15, 16, 255] {
        assert_eq!(
            received.payload(encoding, &own, true),
            Err(Refused::Encoding(encoding))
        );
    }
    assert_eq!(received.certificates().count(), 0);
}

// RFC 7296 §3.6: SHA-1 of what is there, and an http URL.
#[test]
fn certificates_at_an_address_are_questions() {
    let root = Authority::root("Root");
    let middle = root.below(ca_params("Middle"));
    let (own, _) = middle.issue(gateway_params(HOST));
    let (provider, trust) = (provider(), trust(&[&root]));
    let identity = Identity::fqdn(HOST).unwrap();
    let url = "http://ca.example.com/gw.der";
    let body = HashAndUrl::body(&provider, &own, url).unwrap();
    let (encoding, data) = body.split_first().unwrap();
    assert_eq!(*encoding, 12);

    let mut asked = Received::new(Limits::default());
    assert_eq!(asked.payload(12, data, false), Err(Refused::Lookup));
    let Taken::Fetch(number, place) = asked.payload(12, data, true).unwrap() else {
        panic!()
    };
    assert_eq!((place.url(), place.is_bundle()), (url, false));
    asked.payload(4, &middle.der, true).unwrap();
    assert!(asked.is_waiting());
    // Not answered, not found: the first certificate is missing, and no other takes its place.
    assert_eq!(
        check(&provider, &trust).bind(&asked, &identity).err(),
        Some(E::Missing)
    );
    let mut failed = asked.clone();
    failed.answer(&provider, number, None).unwrap();
    assert!(!failed.is_waiting());
    assert_eq!(
        check(&provider, &trust).bind(&failed, &identity).err(),
        Some(E::Missing)
    );
    // Something else is there.
    let mut wrong = asked.clone();
    assert_eq!(
        wrong.answer(&provider, number, Some(&middle.der)),
        Err(Refused::Hash)
    );
    assert_eq!(
        wrong.answer(&provider, number, Some(&own)),
        Err(Refused::NotAsked)
    );
    assert_eq!(
        wrong.answer(&provider, 9, Some(&own)),
        Err(Refused::NotAsked)
    );
    let mut huge = asked.clone();
    assert!(matches!(
        huge.answer(&provider, number, Some(&[0; 10_000])),
        Err(Refused::TooMany(_))
    ));
    asked.answer(&provider, number, Some(&own)).unwrap();
    check(&provider, &trust).bind(&asked, &identity).unwrap();

    // A bundle: [0] certificates and [1] lists.
    let wrap = |tag: u8, octets: &[u8]| {
        let [high, low] = (octets.len() as u16).to_be_bytes();
        let mut out = match (high, low) {
            (0, ..0x80) => vec![tag, low],
            (0, _) => vec![tag, 0x81, low],
            _ => vec![tag, 0x82, high, low],
        };
        out.extend_from_slice(octets);
        out
    };
    let parts = [
        wrap(0xA0, &own),
        wrap(0xA1, &middle.crl(&[], 2031)),
        wrap(0xA0, &middle.der),
    ];
    let bundle = wrap(0x30, &parts.concat());
    let hash = HashAndUrl::body(&provider, &bundle, "http://x/").unwrap();
    let mut asked = Received::new(Limits::default());
    let Taken::Fetch(number, place) = asked.payload(13, &hash[1..], true).unwrap() else {
        panic!()
    };
    assert!(place.is_bundle());
    asked.answer(&provider, number, Some(&bundle)).unwrap();
    assert_eq!((asked.certificates().count(), asked.crls().count()), (2, 1));
    check(&provider, &trust).bind(&asked, &identity).unwrap();

    let long = [b"http://x/".as_slice(), &[b'a'; 600]].concat();
    for (url, error) in [
        (&b"https://x/"[..], Refused::Url),
        (b"file:///etc/passwd", Refused::Url),
        (b"http://", Refused::Url),
        (b"", Refused::Url),
        (b"http://x/\r\nHost: y", Refused::Url),
        (b"http://x/\xFF", Refused::Url),
        (&long, Refused::TooMany("octets of a URL")),
    ] {
        let data = [&[0; 20], url].concat();
        let found = Received::new(Limits::default()).payload(12, &data, true);
        assert_eq!(found, Err(error), "{url:?}");
    }
    let short = Received::new(Limits::default()).payload(12, &[0; 19], true);
    assert_eq!(short, Err(Refused::Malformed));
}

// RFC 7296 §3.7: SHA-1 of the authority's public key, both ways.
#[test]
fn requests_choose_the_certificate() {
    let provider = provider();
    let (one, two) = (Authority::root("One"), Authority::root("Two"));
    let middle = two.below(ca_params("Middle"));
    let store = trust(&[&one, &two]);
    let limits = Limits::default();
    let credential = |label: &str, chain: &[&[u8]]| {
        let public = Certificate::read(chain[0]).unwrap().public_key().to_vec();
        let signer = Remote::new(public, Vec::new(), |_| Ok(()));
        Credential::new(&provider, label, chain, Arc::new(signer), &store)
    };
    let (first, _) = one.issue(gateway_params(HOST));
    let (second, _) = middle.issue(gateway_params(HOST));
    let (third, _) = one.issue(gateway_params("other.example.com"));
    let all = [
        credential("first", &[&first]).unwrap(),
        // With its root, which is not sent.
        credential("second", &[&second, &middle.der, &two.der]).unwrap(),
        credential("third", &[&third]).unwrap(),
    ];
    assert_eq!(all[1].certificates().count(), 2);
    let payloads: Vec<Vec<u8>> = all[1].payloads().collect();
    assert_eq!((payloads[0][0], &payloads[0][1..]), (4, &second[..]));

    let hash = |authority: &Authority| {
        let view = Certificate::read(&authority.der).unwrap();
        key_hash(&provider, view.public_key()).unwrap()
    };
    // OpenSSL-like second opinion: what x509-parser takes for the key, hashed by another backend.
    let (_, x509) = x509_parser::parse_x509_certificate(&one.der).unwrap();
    let digest = Provider::of([backend::RING])
        .digest(hostward_crypto::Hash::Sha1, &[x509.public_key().raw])
        .unwrap();
    assert_eq!(hash(&one), digest.as_ref());

    let identity = Identity::fqdn(HOST).unwrap();
    let chosen = |label, hashes: &[[u8; 20]]| {
        let body = request_body(hashes);
        let request = Request::read(body[0], &body[1..], &limits).unwrap();
        choose(&all, &identity, label, &[request]).map(Credential::label)
    };
    assert_eq!(chosen(None, &[hash(&one)]), Some("first"));
    assert_eq!(chosen(None, &[hash(&two)]), Some("second"));
    assert_eq!(chosen(None, &[hash(&middle)]), Some("second"));
    assert_eq!(chosen(None, &[[7; 20], hash(&two)]), Some("second"));
    // No authority is named: any. None that is known: a wish that is not met.
    assert_eq!(chosen(None, &[]), Some("first"));
    assert_eq!(chosen(None, &[[7; 20]]), Some("first"));
    assert_eq!(chosen(Some("second"), &[hash(&one)]), Some("second"));
    assert_eq!(chosen(Some("third"), &[]), None);
    let nobody = Identity::fqdn("nobody").unwrap();
    assert!(choose(&all, &nobody, None, &[]).is_none());
    let name = Identity::dn("O=Example,CN=Gateway").unwrap();
    assert_eq!(choose(&all, &name, None, &[]).unwrap().label(), "first");

    assert_eq!(Request::read(4, &[0; 21], &limits), Err(Refused::Malformed));
    assert_eq!(Request::read(99, &[], &limits), Err(Refused::Encoding(99)));
    let bounded = Limits {
        requested: 1,
        ..limits
    };
    let body = [[7; 20], hash(&one)].concat();
    assert_eq!(Request::read(4, &body, &bounded).unwrap().hashes().len(), 1);

    assert_eq!(
        credential("x", &[&first, &two.der]).err(),
        Some(CredentialError::Order(0))
    );
    assert_eq!(
        credential("x", &[&first, &[0]]).err(),
        Some(CredentialError::Malformed(1))
    );
    let other = Remote::new(vec![1], Vec::new(), |_| Ok(()));
    assert_eq!(
        Credential::new(&provider, "x", &[&first], Arc::new(other), &store).err(),
        Some(CredentialError::Key)
    );
    let other = Remote::new(vec![1], Vec::new(), |_| Ok(()));
    assert_eq!(
        Credential::new(&provider, "x", &[], Arc::new(other), &store).err(),
        Some(CredentialError::Empty)
    );
}

/// Certificates by OpenSSL: RSASSA-PSS, keys of all kinds, for all backends.
#[test]
fn chains_of_openssl_are_believed() {
    let later = UnixTime::from_secs(THEN.as_secs());
    let backends: [(&str, &'static dyn Backend); 2] = [
        ("rustcrypto", backend::RUST_CRYPTO),
        ("ring", backend::RING),
    ];
    for (name, library) in backends {
        let provider = Provider::of([library]).prefer(Kind::Hash, backend::RUST_CRYPTO);
        let mut trust = TrustStore::new();
        trust.add(&provider, "root", &fixture("root.der")).unwrap();
        for key in ["rsa", "rsa1024", "p256", "p384", "p521", "ed25519"] {
            let own = fixture(&format!("{key}.der"));
            let mut check = check(&provider, &trust);
            check.time = later;
            for identity in [
                Identity::fqdn(&format!("{key}.example.com")).unwrap(),
                Identity::ip("2001:db8::1".parse().unwrap()),
                Identity::user_at_fqdn("gw@example.com").unwrap(),
                Identity::dn(&format!("CN={key},O=Example,C=US")).unwrap(),
            ] {
                let bound = check.bind(&received(&[&own]), &identity);
                let bound = bound.unwrap_or_else(|e| panic!("{name} {key} {identity}: {e}"));
                assert_eq!(bound.authority(), "root");
            }
        }
    }
}

#[test]
fn what_the_provider_lacks_is_not_accepted() {
    let root = Authority::root("Root");
    let (own, _) = root.issue(gateway_params(HOST));
    let store = trust(&[&root]);
    let hashes_only = Provider::default().prefer(Kind::Hash, backend::RUST_CRYPTO);
    let identity = Identity::fqdn(HOST).unwrap();
    let found = check(&hashes_only, &store).bind(&received(&[&own]), &identity);
    assert_eq!(found.err(), Some(E::Algorithm));
    // FIPS mode that asks for a validated module leaves nothing of RustCrypto's.
    let strict = provider().with_fips(Fips::Module);
    let found = check(&strict, &store).bind(&received(&[&own]), &identity);
    assert_eq!(found.err(), Some(E::Algorithm));
    let algorithms = provider().with_fips(Fips::Algorithms);
    check(&algorithms, &store)
        .bind(&received(&[&own]), &identity)
        .unwrap();
}
