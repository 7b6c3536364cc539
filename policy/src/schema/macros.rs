//! Tables of statements and keywords.

/// Declares statements and typed constants for their parameters.
///
/// ```
/// mod tables {
///     use hostward_policy::{Keyword, Parameter, Value};
///
///     static MOST: Value = Value::Number { min: 1, max: 99, unit: "" };
///
///     hostward_policy::statements! {
///         /// How many.
///         limits: LIMITS = Statement::new("Limits", "How many there may be.") {
///             MOST = Parameter::new(&[Keyword::line("Most", &MOST)], "The greatest number.").default("10"),
///         }
///     }
/// }
/// use tables::{LIMITS, limits};
///
/// assert_eq!(LIMITS.parameters[usize::from(limits::MOST.index())].default, Some("10"));
/// ```
///
/// It stands in a module, not in a function. `Statement::new(name, meaning)` takes the parameters as its last argument from the block; calls
/// such as `.root()` may follow in the same expression.
#[macro_export]
macro_rules! statements {
    ($($(#[$doc:meta])* $module:ident: $constant:ident = Statement::new($name:expr, $meaning:expr $(,)?)
       $(.$method:ident($($argument:expr),* $(,)?))* {
        $($parameter:ident = $value:expr),* $(,)?
    })*) => {
        $(
            $(#[$doc])*
            pub static $constant: $crate::Statement = {
                static PARAMETERS: &[$crate::Parameter] = &[$($value),*];
                $crate::Statement::new($name, $meaning, PARAMETERS)$(.$method($($argument),*))*
            };

            #[doc = concat!("The parameters of [`", stringify!($constant), "`].")]
            pub mod $module {
                #[allow(non_camel_case_types, dead_code, clippy::upper_case_acronyms,
                    reason = "only the order matters")]
                enum Index { $($parameter),* }
                $(
                    #[doc = concat!("`", stringify!($parameter), "` of [`", stringify!($constant), "`](super::", stringify!($constant), ").")]
                    pub const $parameter: $crate::ParameterId =
                        $crate::ParameterId::new(&super::$constant, Index::$parameter as u8);
                )*
            }
        )*
    };
}

/// Declares an enum of keywords and the [`Value`](crate::Value) that reads them.
///
/// ```
/// use hostward_policy::{Choices as _, Value};
///
/// hostward_policy::choices! {
///     /// Which way.
///     pub enum Way: WAY {
///         /// To the left.
///         Left = "Left" | "Port",
///         /// To the right.
///         Right = "Right" | "Starboard",
///     }
/// }
///
/// assert!(WAY.fits("STARBOARD"));
/// assert_eq!(Way::from_code(1), Some(Way::Right));
/// ```
///
/// A variant may have a number of its own (`Tcp(6) = "Tcp"`) and values that follow it
/// (`No = "No" => &Value::Optional(&HOW)`).
#[macro_export]
macro_rules! choices {
    ($(#[doc = $doc:literal])* pub enum $name:ident: $constant:ident {
        $($(#[doc = $meaning:literal])+
          $variant:ident $(($code:literal))? = $text:literal $(| $also:literal)* $(=> $then:expr)?),* $(,)?
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum $name {
            $($(#[doc = $meaning])+ $variant $(= $code)?),*
        }

        #[doc = concat!("The keywords of [`", stringify!($name), "`].")]
        pub static $constant: $crate::Value =
            $crate::Value::Choice(<$name as $crate::Choices>::CHOICES);

        impl $crate::Choices for $name {
            const CHOICES: &'static [$crate::Choice] = &[$($crate::Choice {
                name: $text,
                also: &[$($also),*],
                code: $name::$variant as u16,
                then: $crate::choices!(@then $($then)?),
                meaning: concat!($($meaning),+).trim_ascii(),
            }),*];

            fn from_code(code: u16) -> Option<Self> {
                $(if code == Self::$variant as u16 { return Some(Self::$variant); })*
                None
            }
        }
    };
    (@then) => { &$crate::Value::Nothing };
    (@then $then:expr) => { $then };
}
