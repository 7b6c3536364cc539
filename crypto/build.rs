//! Compiles the few lines of C that read ipsec-mb's table of functions, for the feature `ipsec-mb`.

fn main() {
    #[cfg(feature = "ipsec-mb")]
    {
        let source = "src/backend/ipsec_mb/table.c";
        println!("cargo:rerun-if-changed={source}");
        cc::Build::new().file(source).compile("hostward_ipsec_mb");
        println!("cargo:rustc-link-lib=IPSec_MB");
    }
}
