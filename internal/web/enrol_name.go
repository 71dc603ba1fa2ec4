package web

import (
	"strconv"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// devices are what browsers say of the device they run on, and what people call it.
// The first that fits is taken.
var devices = [...][2]string{{"iPhone", "iphone"}, {"iPad", "ipad"}, {"Android", "android"}, {"Macintosh", "mac"}, {"Windows", "windows"}, {"CrOS", "chromebook"}, {"Linux", "linux"}}

// deviceName proposes a name for what is being enrolled. It is the person's to change.
func (v *visit) deviceName(kind string) string {
	switch kind {
	case "security-key":
		return v.t("enrol.name.security_key")
	case "app":
		return v.t("enrol.name.app")
	}
	agent := v.r.UserAgent()
	for _, d := range devices {
		if strings.Contains(agent, d[0]) {
			return v.t("enrol.name." + d[1])
		}
	}
	return v.t("enrol.name.other")
}

// qrPath draws a QR code as the path of an SVG: one unit a module, with the quiet zone
// of four modules that readers need (ISO/IEC 18004).
func qrPath(text string) (path string, size int, err error) {
	code, err := qr.Encode(text, qr.M, qr.Unicode)
	if err != nil {
		return "", 0, err
	}
	const quiet = 4
	bounds := code.Bounds()
	dark := func(x, y int) bool { r, g, b, _ := code.At(x, y).RGBA(); return r+g+b < 3*0x8000 }
	var b strings.Builder
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if !dark(x, y) {
				continue
			}
			run := 1
			for x+run < bounds.Max.X && dark(x+run, y) {
				run++
			}
			b.WriteString("M" + strconv.Itoa(x-bounds.Min.X+quiet) + " " + strconv.Itoa(y-bounds.Min.Y+quiet) + "h" + strconv.Itoa(run) + "v1h-" + strconv.Itoa(run) + "z")
			x += run - 1
		}
	}
	return b.String(), bounds.Dx() + 2*quiet, nil
}
