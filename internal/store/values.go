package store

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// bind turns an argument of a query into one of the few values that both engines
// store alike: int64, float64, string, []byte or NULL.
//
// A truth value is 0 or 1, a time is Unix microseconds (the zero time is 0), a nil
// pointer or nil byte slice is NULL. A text must be UTF-8 without NUL: SQLite would
// store anything, PostgreSQL would not.
func bind(arg any) (driver.Value, error) {
	switch v := arg.(type) {
	case string:
		return checkText(v)
	case int64:
		return v, nil
	case int:
		return int64(v), nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case time.Time:
		return Micros(v), nil
	case nil:
		return nil, nil
	case float64:
		return v, nil
	}
	return bindReflect(arg)
}

func bindReflect(arg any) (driver.Value, error) {
	v := reflect.ValueOf(arg)
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return bind(v.Elem().Interface())
	case reflect.String:
		return checkText(v.String())
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		return v.Int(), nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(v.Uint()), nil
	case reflect.Bool:
		return bind(v.Bool())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return bind(v.Bytes())
		}
	case reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(b), v)
			return b, nil
		}
	}
	return nil, fmt.Errorf("a value of type %T cannot be stored", arg)
}

func checkText(s string) (driver.Value, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, fmt.Errorf("%w: it holds a NUL character", ErrText)
	}
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrText)
	}
	return s, nil
}

// Micros is how a time is stored: Unix microseconds, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the time that [Micros] stored, in UTC; 0 is the zero time.
func Time(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// assign puts a column's value into a destination: a pointer to a string, integer,
// bool, float64, []byte, time.Time, array of bytes, to a type of such a kind, or to a
// pointer to one, which NULL sets to nil. NULL fits a []byte also, as nil, and
// nothing else.
func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *string:
		if s, ok := v.(string); ok {
			*d = s
			return nil
		}
	case *int64:
		if n, ok := v.(int64); ok {
			*d = n
			return nil
		}
	case *[]byte:
		if b, ok := v.([]byte); ok || v == nil {
			*d = b
			return nil
		}
	case *bool:
		if n, ok := v.(int64); ok {
			*d = n != 0
			return nil
		}
	case *time.Time:
		if n, ok := v.(int64); ok {
			*d = Time(n)
			return nil
		}
	}
	p := reflect.ValueOf(dest)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("a column cannot be read into %T: it is not a pointer", dest)
	}
	return assignReflect(p.Elem(), v)
}

func assignReflect(d reflect.Value, v driver.Value) error {
	if d.Kind() == reflect.Pointer {
		if v == nil {
			d.SetZero()
			return nil
		}
		d.Set(reflect.New(d.Type().Elem()))
		return assign(d.Interface(), v)
	}
	switch x := v.(type) {
	case string:
		if d.Kind() == reflect.String {
			d.SetString(x)
			return nil
		}
	case int64:
		switch {
		case d.CanInt() && !d.OverflowInt(x):
			d.SetInt(x)
			return nil
		case d.CanUint() && x >= 0 && !d.OverflowUint(uint64(x)):
			d.SetUint(uint64(x))
			return nil
		case d.Kind() == reflect.Bool:
			d.SetBool(x != 0)
			return nil
		}
	case bool: // of an expression, on PostgreSQL
		if d.Kind() == reflect.Bool {
			d.SetBool(x)
			return nil
		}
	case float64:
		if d.CanFloat() {
			d.SetFloat(x)
			return nil
		}
	case []byte:
		switch {
		case d.Kind() == reflect.Slice && d.Type().Elem().Kind() == reflect.Uint8:
			d.SetBytes(x)
			return nil
		case d.Kind() == reflect.Array && d.Type().Elem().Kind() == reflect.Uint8 && d.Len() == len(x):
			reflect.Copy(d, reflect.ValueOf(x))
			return nil
		}
	}
	return fmt.Errorf("a column of type %T cannot be read into %s", v, d.Type())
}
