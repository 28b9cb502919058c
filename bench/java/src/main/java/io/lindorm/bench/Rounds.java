package io.lindorm.bench;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * Rounds that the harness asks for: it writes a line, one round is done, and what was done is answered in a
 * line. So the harness can read the process's CPU time before and after each round.
 */
final class Rounds {

    private Rounds() {}

    /** One round: how many rows or items it dealt with. */
    interface Round {
        long run() throws Exception;
    }

    static void serve(Round round) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.out.println("ready");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            System.out.println(round.run());
        }
    }
}
