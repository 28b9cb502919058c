package io.lindorm.flink.rate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FairShareTest {

    private static final double ALL = Double.POSITIVE_INFINITY;

    @Test
    void whatOneDoesNotNeedIsDividedAmongTheOthers() {
        assertArrayEquals(new double[] {450, 100, 450}, FairShare.divide(1_000, new double[] {ALL, 100, ALL}), 1e-9);
        assertArrayEquals(new double[] {250, 100, 650}, FairShare.divide(1_000, new double[] {250, 100, ALL}), 1e-9);
    }

    @Test
    void whatNobodyNeedsIsDividedEvenly() {
        assertArrayEquals(new double[] {400, 600}, FairShare.divide(1_000, new double[] {100, 300}), 1e-9);
    }

    @Test
    void whoNeedsNothingKeepsALittleToBeginWith() {
        assertArrayEquals(new double[] {990, 10}, FairShare.divide(1_000, new double[] {ALL, 0}), 1e-9);
    }

    @Test
    void withoutALimitNobodyHasOne() {
        assertArrayEquals(new double[] {ALL, ALL}, FairShare.divide(ALL, new double[] {5, ALL}));
        assertArrayEquals(new double[] {}, FairShare.divide(ALL, new double[] {}));
        assertArrayEquals(new double[] {}, FairShare.divide(7, new double[] {}));
    }

    @Test
    void whateverIsNeededTheSharesMakeUpTheRateAndNobodyWithALessNeedGetsMore() {
        Random random = new Random(1);
        for (int i = 0; i < 10_000; i++) {
            double rate = Math.pow(10, random.nextDouble() * 5);
            double[] demands = random.doubles(1 + random.nextInt(12))
                    .map(d -> random.nextInt(4) == 0 ? ALL : d * rate)
                    .sorted()
                    .toArray();
            double[] shares = FairShare.divide(rate, demands);
            assertEquals(rate, Arrays.stream(shares).sum(), rate * 1e-9);
            for (int j = 1; j < shares.length; j++) {
                assertTrue(shares[j - 1] <= shares[j] * (1 + 1e-9), Arrays.toString(demands));
            }
        }
    }

    @Test
    void whoWasHeldBackForATenthOfTheTimeCouldUseAllThereIs() {
        assertEquals(ALL, FairShare.demand(500, 110_000_000, 1_000_000_000));
        assertEquals(262.5, FairShare.demand(500, 90_000_000, 2_000_000_000));
    }
}
