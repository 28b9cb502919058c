package io.lindorm.flink.items;

/** Says, while a row is made an item, that it cannot be one. Carries no stack trace: it is an outcome. */
final class Reject extends Exception {

    private static final long serialVersionUID = 1L;

    private final RejectReason reason;

    /**
     * @param reason the kind
     * @param message what is wrong with this row, for the user
     */
    Reject(RejectReason reason, String message) {
        super(message, null, false, false);
        this.reason = reason;
    }

    /** What the source says of a row that it could not read whole: the reason, a colon and a sentence. */
    static Reject ofUnreadable(String told) {
        int colon = told.indexOf(": ");
        return new Reject(RejectReason.valueOf(told.substring(0, colon)), told.substring(colon + 2));
    }

    RejectReason reason() {
        return reason;
    }
}
