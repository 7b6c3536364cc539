//! Chains of certificates for tests.
#![allow(dead_code, reason = "each test uses some of it")]

use hostward_crypto::random::SystemRandom;
use hostward_crypto::{Provider, backend};
use hostward_hook::time::UnixTime;
use hostward_ike::certificate::{
    BoundKey, CertificateError, Check, ExtendedKeyUsage, Limits, Received, Revocation, TrustStore,
};
use hostward_ike::identity::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};

/// 2030-01-01T00:00:00Z, at which what is made here is valid.
pub(crate) const THEN: UnixTime = UnixTime::from_secs(1_893_456_000);

pub(crate) fn provider() -> Provider {
    Provider::of([backend::RUST_CRYPTO])
}

pub(crate) fn random() -> SystemRandom {
    SystemRandom
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read(folder.join(name)).unwrap()
}

/// Parameters of an authority's certificate.
pub(crate) fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Parameters of a gateway's certificate.
pub(crate) fn gateway_params(host: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_string()]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "Gateway");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Example");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

/// An authority with its key.
pub(crate) struct Authority {
    pub(crate) params: CertificateParams,
    pub(crate) key: KeyPair,
    pub(crate) der: Vec<u8>,
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::root_of(ca_params(name))
    }

    pub(crate) fn root_of(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { params, key, der }
    }

    pub(crate) fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    /// An authority below this one.
    pub(crate) fn below(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let der = params
            .signed_by(&key, &self.issuer())
            .unwrap()
            .der()
            .to_vec();
        Self { params, key, der }
    }

    /// A certificate that is no authority's.
    pub(crate) fn issue(&self, params: CertificateParams) -> (Vec<u8>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let der = params
            .signed_by(&key, &self.issuer())
            .unwrap()
            .der()
            .to_vec();
        (der, key)
    }

    /// A revocation list, valid until a year.
    pub(crate) fn crl(&self, revoked: &[u64], until: i32) -> Vec<u8> {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer()).unwrap().der().to_vec()
    }
}

/// Believes these authorities.
pub(crate) fn trust(authorities: &[&Authority]) -> TrustStore {
    let mut trust = TrustStore::new();
    for (at, authority) in authorities.iter().enumerate() {
        let label = format!("ca{at}");
        trust.add(&provider(), &label, &authority.der).unwrap();
    }
    trust
}

/// These certificates as a peer sends them.
pub(crate) fn received(certificates: &[&[u8]]) -> Received {
    let mut received = Received::new(Limits::default());
    for certificate in certificates {
        received.payload(4, certificate, false).unwrap();
    }
    received
}

pub(crate) fn check<'c>(provider: &'c Provider, trust: &'c TrustStore) -> Check<'c> {
    Check {
        provider,
        trust,
        authorities: None,
        time: THEN,
        revocation: Revocation::Loose,
        extended_key_usage: ExtendedKeyUsage::Checked,
    }
}

/// What comes of these certificates for this host.
pub(crate) fn bind(
    trust: &TrustStore,
    certificates: &[&[u8]],
    host: &str,
) -> Result<BoundKey, CertificateError> {
    let provider = provider();
    let identity = Identity::fqdn(host).unwrap();
    check(&provider, trust).bind(&received(certificates), &identity)
}
