//! Says when the web pages have changed, and writes what the program has to know of the world's numbering plans: which
//! lengths the numbers of each calling code may have. The library that has the plans reads them, and compiles a thousand
//! regular expressions, at every start.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use phonenumber::metadata::{DATABASE, Descriptors};

/// Lengths of numbers without their calling code; E.164 has at most 15 digits with it.
const LENGTHS: std::ops::Range<u16> = 1..15;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // What lies there becomes a part of the program. An empty folder is made where there is none, because cargo begins anew
    // every time for one that is absent; where none can be made, there are no pages to wait for.
    if fs::create_dir_all("web/dist").is_ok() {
        println!("cargo::rerun-if-changed=web/dist");
    }
    let mut table = String::from("&[\n");
    for code in 1..1000_u16 {
        let Some(regions) = DATABASE.by_code(&code) else { continue };
        let has = |length: &u16| regions.iter().any(|region| has_length(region.descriptors(), *length));
        let mask = LENGTHS.filter(has).fold(0_u16, |mask, length| mask | 1 << length);
        writeln!(table, "    ({code}, {mask:#018b}),").expect("memory takes it");
    }
    table.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where"));
    fs::write(out.join("calling_codes.rs"), table).expect("cargo's folder takes it");
}

/// Lengths are listed per kind of number; the general entry has none.
fn has_length(country: &Descriptors, length: u16) -> bool {
    let kinds = [
        country.fixed_line(),
        country.mobile(),
        country.toll_free(),
        country.premium_rate(),
        country.shared_cost(),
        country.personal_number(),
        country.voip(),
        country.pager(),
        country.uan(),
    ];
    kinds.into_iter().flatten().any(|kind| kind.possible_length().contains(&length))
}
