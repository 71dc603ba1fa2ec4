package authority_test

import "testing"

// The life stories: every case of the sample company, played whole. See testdata.

func TestStorySmallOrder(t *testing.T)    { story(t, "small_order") }
func TestStoryLargeOrder(t *testing.T)    { story(t, "large_order") }
func TestStoryWrongCodes(t *testing.T)    { story(t, "wrong_codes") }
func TestStoryNewVendor(t *testing.T)     { story(t, "new_vendor") }
func TestStoryBankChange(t *testing.T)    { story(t, "bank_change") }
func TestStoryBetween(t *testing.T)       { story(t, "between") }
func TestStoryAlertOnAll(t *testing.T)    { story(t, "alert_on_all") }
func TestStoryRaised(t *testing.T)        { story(t, "raised") }
func TestStoryUnknown(t *testing.T)       { story(t, "unknown") }
func TestStorySupersede(t *testing.T)     { story(t, "supersede") }
func TestStoryEnds(t *testing.T)          { story(t, "ends") }
func TestStoryFrozen(t *testing.T)        { story(t, "frozen") }
func TestStoryPolicy(t *testing.T)        { story(t, "policy") }
func TestStoryDelegation(t *testing.T)    { story(t, "delegation") }
func TestStoryBreakGlass(t *testing.T)    { story(t, "break_glass") }
func TestStoryVouching(t *testing.T)      { story(t, "vouching") }
func TestStoryPrivileged(t *testing.T)    { story(t, "privileged") }
func TestStoryUnsatisfiable(t *testing.T) { story(t, "unsatisfiable") }
func TestStoryErasure(t *testing.T)       { story(t, "erasure") }
func TestStoryRevoked(t *testing.T)       { story(t, "revoked") }
func TestStorySettings(t *testing.T)      { story(t, "settings") }
func TestStoryCustomKind(t *testing.T)    { story(t, "custom_kind") }
func TestStoryAbsent(t *testing.T)        { story(t, "absent") }
