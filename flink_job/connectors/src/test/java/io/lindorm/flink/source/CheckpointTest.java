package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.math.BigDecimal;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The form of splits and of the enumerator's state in checkpoints, which jobs of later versions must read. */
class CheckpointTest {

    private static final int VERSION = 2;

    private static final PrimaryKey EVERY_KIND = PrimaryKey.of(
            new KeyColumn("k0", "BOOLEAN", false),
            new KeyColumn("k1", "BIGINT", true),
            new KeyColumn("k2", "DECIMAL(10,2)", false),
            new KeyColumn("k3", "FLOAT", false),
            new KeyColumn("k4", "DOUBLE", false),
            new KeyColumn("k5", "VARCHAR(10)", false),
            new KeyColumn("k6", "VARBINARY", false),
            new KeyColumn("k7", "TIMESTAMP", false),
            new KeyColumn("k8", "DATE", false),
            new KeyColumn("k9", "TIME", false));

    private static final KeyRangeSplit SPLIT = new KeyRangeSplit(
            "7",
            KeyRangeSplit.Kind.OFFERED,
            EVERY_KIND,
            Key.of(
                    true,
                    -5L,
                    new BigDecimal("-12.30"),
                    1.5f,
                    -2.25d,
                    "h\u00e9",
                    new byte[] {0, -1},
                    LocalDateTime.of(1, 1, 1, 0, 0, 0, 1_000_000),
                    LocalDate.of(9999, 12, 31),
                    LocalTime.of(23, 59, 59, 999_000_000)),
            null,
            Key.of(false),
            42);

    /** As the first job wrote it that had kinds of splits. */
    private static final String SPLIT_IN_HEXADECIMAL =
            "00013700074f4646455245440000000a00026b300007424f4f4c45414e0000026b31"
                    + "0006424947494e540100026b32000d444543494d414c2831302c32290000026b330005464c4f41540000026b340006444f55424c4500"
                    + "00026b35000b56415243484152283130290000026b36000956415242494e4152590000026b37000954494d455354414d500000026b38"
                    + "0004444154450000026b39000454494d45000000000a3f014cfffffffffffffffb440000000200000002fb32663fc0000064c0020000"
                    + "00000000530000000368c3a9420000000200ff54fffffff1886e0900000f42407900000000002cc0a07400004e94913fbdc0ffffffff"
                    + "000000013f00000000000000002a";

    /** As a job wrote it for which a DECIMAL without precision was text. */
    private static final String DECIMAL_AS_TEXT =
            "00013300044f50454e000000020001640007444543494d414c0000016e0006424947494e"
                    + "5400000000015300000003392e3500000001530000000331303000000002530000000531302e32354c00000000000000040000000000"
                    + "000008";

    private static final String STATE_WITH_DECIMAL_AS_TEXT =
            "01000000000000000100013300000001530000000435302e3500000001000134";

    private final KeyRangeSplitSerializer splits = new KeyRangeSplitSerializer();
    private final EnumeratorState.Serializer states = new EnumeratorState.Serializer();

    private static byte[] bytes(String hexadecimal) {
        return HexFormat.of().parseHex(hexadecimal);
    }

    private void assertComesBack(KeyRangeSplit split) throws IOException {
        assertEquals(split, splits.deserialize(splits.getVersion(), splits.serialize(split)));
    }

    @Test
    void aSplitComesBackFromACheckpoint() throws Exception {
        assertComesBack(SPLIT);
        assertComesBack(KeyRangeSplit.of("8", EVERY_KIND, Key.of(true), Key.of(false, 1L)));
        assertComesBack(KeyRangeSplit.count("c", 12));
        PrimaryKey text = PrimaryKey.of(new KeyColumn("k", "VARCHAR", false));
        assertComesBack(KeyRangeSplit.of("9", text, Key.of("h\u00e9 \uD83D\uDE00" + "x".repeat(70_000)), null));
        assertComesBack(KeyRangeSplit.of("10", text, Key.of(new byte[] {0, -1}), null));
    }

    @Test
    void theEnumeratorsStateComesBackFromACheckpoint() throws Exception {
        EnumeratorState state =
                new EnumeratorState(true, List.of(SPLIT), Map.of("7", Key.of(true, 5L)), Set.of("8", "x"));
        assertEquals(state, states.deserialize(states.getVersion(), states.serialize(state)));
    }

    @Test
    void aSplitThatAnEarlierJobWroteIsRead() throws Exception {
        assertEquals(SPLIT, splits.deserialize(VERSION, bytes(SPLIT_IN_HEXADECIMAL)));
        assertEquals(SPLIT_IN_HEXADECIMAL, HexFormat.of().formatHex(splits.serialize(SPLIT)));
    }

    @Test
    void aDecimalThatAnEarlierJobHeldAsTextIsANumber() throws Exception {
        KeyRangeSplit split = splits.deserialize(VERSION, bytes(DECIMAL_AS_TEXT));
        assertEquals(Key.of(new BigDecimal("9.5")), split.lower());
        assertEquals(Key.of(new BigDecimal("100")), split.upper());
        assertEquals(Key.of(new BigDecimal("10.25"), 4L), split.lastKey());
        EnumeratorState state = states.deserialize(VERSION, bytes(STATE_WITH_DECIMAL_AS_TEXT));
        assertEquals(
                Key.of(new BigDecimal("50.5")), split.key().typed(state.ends().get("3")));
        assertTrue(split.key()
                        .compare(split.lastKey(), split.key().typed(state.ends().get("3")))
                < 0);
    }

    @Test
    void anotherVersionAndWhatIsNoValueOfItsColumnAreRefused() {
        assertThrows(IOException.class, () -> splits.deserialize(1, bytes(SPLIT_IN_HEXADECIMAL)));
        assertThrows(IOException.class, () -> states.deserialize(3, bytes(STATE_WITH_DECIMAL_AS_TEXT)));
        // 'x.5' in place of '9.5'.
        String broken = DECIMAL_AS_TEXT.replace("392e35", "782e35");
        IOException said = assertThrows(IOException.class, () -> splits.deserialize(VERSION, bytes(broken)));
        assertTrue(said.getMessage().contains("'x.5' is no value of type DECIMAL"), said.getMessage());
    }
}
