package io.lindorm.flink.source;

import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;

/** The options of a table with {@code 'connector' = 'lindorm'}; the README explains each. */
final class LindormOptions {

    private LindormOptions() {}

    /** What the numbers of an epoch column count. */
    enum TimeUnit {
        Seconds(1),
        Milliseconds(1_000),
        Microseconds(1_000_000),
        Nanoseconds(1_000_000_000);

        private final long perSecond;

        TimeUnit(long perSecond) {
            this.perSecond = perSecond;
        }

        /**
         * The smallest number that is not before an instant: with it as bound, {@code >=} and {@code <}
         * keep to the half-open range even where the unit is coarser than the instant.
         *
         * @return may be beyond what a BIGINT holds: nanoseconds reach from 1677 to 2262
         */
        BigInteger of(Instant instant) {
            long nanosPerUnit = 1_000_000_000 / perSecond;
            return BigInteger.valueOf(instant.getEpochSecond())
                    .multiply(BigInteger.valueOf(perSecond))
                    .add(BigInteger.valueOf((instant.getNano() + nanosPerUnit - 1) / nanosPerUnit));
        }
    }

    static final ConfigOption<String> URL =
            ConfigOptions.key("url").stringType().noDefaultValue();
    static final ConfigOption<String> TABLE_NAME =
            ConfigOptions.key("table-name").stringType().noDefaultValue();
    static final ConfigOption<String> USERNAME =
            ConfigOptions.key("username").stringType().noDefaultValue();
    static final ConfigOption<String> PASSWORD =
            ConfigOptions.key("password").stringType().noDefaultValue();
    static final ConfigOption<String> PASSWORD_FILE =
            ConfigOptions.key("password-file").stringType().noDefaultValue();
    static final ConfigOption<String> QUERY =
            ConfigOptions.key("scan.query").stringType().noDefaultValue();
    static final ConfigOption<String> TIMESTAMP_COLUMN =
            ConfigOptions.key("scan.timestamp.column").stringType().noDefaultValue();
    static final ConfigOption<String> TIMESTAMP_START =
            ConfigOptions.key("scan.timestamp.start").stringType().noDefaultValue();
    static final ConfigOption<String> TIMESTAMP_END =
            ConfigOptions.key("scan.timestamp.end").stringType().noDefaultValue();
    static final ConfigOption<TimeUnit> TIMESTAMP_UNIT =
            ConfigOptions.key("scan.timestamp.unit").enumType(TimeUnit.class).noDefaultValue();
    static final ConfigOption<String> FILTER =
            ConfigOptions.key("scan.filter").stringType().noDefaultValue();
    static final ConfigOption<Integer> PAGE_SIZE =
            ConfigOptions.key("scan.page-size").intType().defaultValue(Scan.MAX_PAGE_SIZE);
    static final ConfigOption<List<String>> SPLIT_POINTS =
            ConfigOptions.key("scan.split.points").stringType().asList().noDefaultValue();
    static final ConfigOption<Integer> SPLIT_NUMBER =
            ConfigOptions.key("scan.split.number").intType().noDefaultValue();
    static final ConfigOption<Long> ROWS_PER_SECOND =
            ConfigOptions.key("scan.rows-per-second").longType().noDefaultValue();
    static final ConfigOption<String> RATES_PATH =
            ConfigOptions.key("scan.rates.path").stringType().noDefaultValue();

    /** Lindorm's own limit for a statement (its page on hints). */
    static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(120);

    static final ConfigOption<Duration> TIMEOUT =
            ConfigOptions.key("scan.timeout").durationType().defaultValue(DEFAULT_TIMEOUT);
    static final ConfigOption<Integer> RETRIES =
            ConfigOptions.key("scan.retries").intType().defaultValue(10);

    /** How far the server is to be trusted; the names and meanings are those of Connector/J's {@code sslMode}. */
    enum TlsMode {
        DISABLED,
        PREFERRED,
        REQUIRED,
        VERIFY_CA,
        VERIFY_IDENTITY
    }

    static final ConfigOption<TlsMode> TLS_MODE =
            ConfigOptions.key("tls.mode").enumType(TlsMode.class).noDefaultValue();
    static final ConfigOption<String> TLS_CA_FILE =
            ConfigOptions.key("tls.ca-file").stringType().noDefaultValue();
}
